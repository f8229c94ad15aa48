"""Links of gateways as data, `<gateway>/links.json`, and the kernel's forwarding, `<gateway>/sysctl.conf`.

The data follow `segc/schemas/links.schema.json`; `segc.apply.links` makes them so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict

from segc.backends.artifact import Artifact, Output, Target
from segc.diagnostics.model import Diagnostic, finding
from segc.enforcement.layer2 import LinkPlan, link_plan
from segc.policy.model import Gateway, Policy

# What a file name, an INI value and YAML take as well.
DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}")
VERSION = 1
# Reverse paths are not filtered here: the ruleset checks sources, of both families, against zones.
SYSCTL = """\
# Written by segc. A gateway routes between its zones; the ruleset says what may pass.
net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
"""


def emit(target: Target) -> Output:
    artifacts: list[Artifact] = []
    for gateway in described(target.policy):
        if not any(odd_names(gateway)):
            text = links_json(link_plan(target.policy, gateway))
            artifacts.append(Artifact(gateway.name, "links.json", text))
            artifacts.append(Artifact(gateway.name, "sysctl.conf", SYSCTL))
    return Output(tuple(artifacts), tuple(limits(target.policy)))


def limits(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG503` for names that no target is given."""
    for gateway in described(policy):
        yield from odd_names(gateway)


def described(policy: Policy) -> Iterator[Gateway]:
    """Gateways that the policy speaks of, by name; an implicit one has links that segc knows nothing of."""
    for _, gateway in sorted(policy.gateways.items()):
        if not gateway.implicit:
            yield gateway


def odd_names(gateway: Gateway) -> Iterator[Diagnostic]:
    """What is wrong with a gateway's names; the other backends leave such a gateway out."""
    named = [(interface.name, interface.span) for interface in gateway.interfaces]
    named += [(port.name, port.span) for interface in gateway.interfaces for port in interface.ports]
    for name, span in named:
        if not DEVICE.fullmatch(name):
            yield finding(
                "SEG503",
                f"`{name}` is no name for a network device",
                span,
                f"on gateway `{gateway.name}`",
                help="write 1 to 15 letters, digits, `.`, `_`, `@` or `-`, a letter, digit or `_` first",
            )


def links_json(plan: LinkPlan) -> str:
    """A plan as JSON; keys sorted, so that the same plan has the same bytes."""
    return json.dumps({"version": VERSION, **asdict(plan)}, indent=2, sort_keys=True) + "\n"
