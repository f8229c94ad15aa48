"""End the connections that a policy does not allow, and leave the others alone.

python -m segc.apply.connections STATE NUMBER      what `revert.sh` calls for the generation it went back to
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pyroute2 import IPRoute

from segc.apply.conntrack import Connection, connections, end, label
from segc.apply.judge import Judge
from segc.apply.seen import observe
from segc.apply.state import State
from segc.backends.nftables.cells import LABEL, LOOMING
from segc.policy.claims import Situation
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.prefixes import parse_prefixes, union
from segc.syntax.parse import parse
from segc.trace import Decision, Packet

Judged = tuple[Connection, Decision]


def source_files(texts: Mapping[str, str]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(name, text) for name, text in texts.items())


def policy_of(texts: Mapping[str, str]) -> Policy:
    """The policy that a generation was made from."""
    policy, _ = resolve([parse(file)[0] for file in source_files(texts)])
    return policy


def at_home(policy: Policy, node: str, links: IPRoute) -> Policy:
    """The policy with what this host calls itself as addresses of the gateway, those by DHCP as well."""
    gateway = policy.gateways[node]
    found = {each.partition("/")[0] for held in observe(links).addresses.values() for each in held}
    own = union([gateway.own, *map(parse_prefixes, sorted(found))])
    return replace(policy, gateways={**policy.gateways, node: replace(gateway, own=own)})


def cut(policy: Policy) -> int:
    """End every connection that the policy, seen from `at_home`, does not allow; how many. Those that it may
    not allow for ever are labelled, so that the ruleset asks for them again."""
    found = list(_judged(policy, int(time.time())))
    return end([*_forbidden(found), *label(_unlabelled(found))])


def forbidden(policy: Policy, now: int) -> Iterator[Connection]:
    """What `cut` ends."""
    return _forbidden(_judged(policy, now))


def _judged(policy: Policy, now: int) -> Iterator[Judged]:
    """Judged as if nobody had a session."""
    judge = Judge(policy, Situation(at=now))
    for each in connections():
        if not (each.source.is_loopback or each.destination.is_loopback):
            yield each, judge.decide(Packet(each.source, each.destination, each.protocol, each.value))


def _forbidden(found: Iterable[Judged]) -> Iterator[Connection]:
    """Whose permission rests on a session, or on hours, carries a label: the ruleset asks for it again every
    half second, so it is left to that, as long as it can still be given."""
    for each, decision in found:
        kept = each.has_label(LABEL) and decision.reason != "deny" and decision.unmet
        if decision.verdict == "deny" and not kept:
            yield each


def _unlabelled(found: Iterable[Judged]) -> Iterator[tuple[Connection, int]]:
    """Connections from before the policy, and the label that they would have if they began now."""
    for each, decision in found:
        if decision.verdict == "deny" or each.has_label(LABEL):
            continue
        if decision.statements and all(flow.conditions.timed for flow in decision.statements):
            yield each, LABEL
        elif any(flow.looming for flow in decision.unmet) and not each.has_label(LOOMING):
            yield each, LOOMING


def main(root: str, number: str) -> None:
    generation = State(Path(root)).generation(int(number))
    with IPRoute() as links:
        cut(at_home(policy_of(generation.sources()), generation.meta.node, links))


if __name__ == "__main__":
    main(*sys.argv[1:])
