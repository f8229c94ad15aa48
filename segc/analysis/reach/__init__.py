"""Who reaches whom, exactly: what every statement opens less what denies take, and chains of such hops.

A question is a flow that is never enforced (`grants.question`), surveyed with the policy, so that answers are
sets of the same classes, services, people and moments as the conflicts are.
"""
