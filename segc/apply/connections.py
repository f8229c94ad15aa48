"""End the connections that a policy does not allow, and leave the others alone.

python -m segc.apply.connections STATE NUMBER      what `revert.sh` calls for the generation it went back to
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pyroute2 import IPRoute

from segc.apply.conntrack import Connection, connections, end, label
from segc.apply.judge import Judge
from segc.apply.seen import observe
from segc.apply.state import State
from segc.backends.nftables.cells import LABEL, LOOMING
from segc.policy.claims import Situation
from segc.policy.model import Flow, Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.prefixes import parse_prefixes, union
from segc.syntax.parse import parse
from segc.trace import Decision, Packet, holds_whoever

LABELS = 1 << LABEL | 1 << LOOMING


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
    """End every connection that the policy, seen from `at_home`, does not allow; how many. The others get the
    labels that they would have if they began now, and by these the ruleset asks for them again."""
    found = list(_judged(policy, int(time.time())))
    ended = end([each for each, wanted in found if wanted is None])
    changed = [(each, w) for each, w in found if w is not None and w != each.labels & LABELS]
    return ended + end(label(changed, LABELS))


def forbidden(policy: Policy, now: int) -> Iterator[Connection]:
    """What `cut` ends, beside what has no room for the labels that it needs."""
    return (each for each, wanted in _judged(policy, now) if wanted is None)


def _judged(policy: Policy, now: int) -> Iterator[tuple[Connection, int | None]]:
    """Each connection with the labels that it needs; None where it is to end."""
    judge = Judge(policy, Situation(at=now))
    for each in connections():
        if not (each.source.is_loopback or each.destination.is_loopback):
            packet = Packet(each.source, each.destination, each.protocol, each.value)
            yield each, _labels(judge.decide(packet), each.has_label(LABEL))


def _labels(decision: Decision, fleeting: bool) -> int | None:
    """The decision is that for people without a session: what hangs on who is there is left to the ruleset,
    which knows. `fleeting` connections were let in by a session, or for some hours; what was not is not kept
    by a session, which lets in only what begins under it."""
    denies = decision.statements if decision.reason == "deny" else ()
    if any(_always(flow, decision) for flow in denies):
        return None
    allows = decision.overruled if decision.reason == "deny" else decision.statements
    comes = any(
        flow.looming and (flow.conditions.starts or not _always(flow, decision))
        for flow in (*denies, *decision.unmet)
    )
    looming = 1 << LOOMING if comes else 0
    if decision.zone or any(_always(flow, decision) and not flow.conditions.timed for flow in allows):
        return looming
    returns = any(flow.action == "allow" and not flow.staged for flow in decision.unmet)
    return 1 << LABEL | looming if allows or (fleeting and returns) else None


def _always(flow: Flow, decision: Decision) -> bool:
    """Whether a flow is for both ends, whoever sits there."""
    places = decision.source, decision.destination
    return all(holds_whoever(end, place) for end, place in zip(flow.ends, places, strict=True))


def main(root: str, number: str) -> None:
    generation = State(Path(root)).generation(int(number))
    with IPRoute() as links:
        cut(at_home(policy_of(generation.sources()), generation.meta.node, links))


if __name__ == "__main__":
    main(*sys.argv[1:])
