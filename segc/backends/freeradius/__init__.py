"""What FreeRADIUS 3 answers to switches, `radius/…`: a VLAN for everybody whom a zone takes in, or a reject.

`mods-config/files/authorize` says who is in which VLAN (RFC 3580, 3.31); `policy.d/segc` rejects whoever was
authenticated without one. How people prove who they are is the server's own matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.templates import template
from segc.diagnostics.model import Diagnostic, finding
from segc.enforcement.admissions import Entrant, Intake, intakes
from segc.policy.model import Gateway, Policy, Switch
from segc.space.words import quote

NODE = "radius"
# Names that the file takes for nothing else: it has no escape that holds for all of the others.
NAME = re.compile(r"[\w.@+=~/-][\w.@+=~/$'-]*")
LONGEST = 253  # bytes (RFC 2865, 5)
ANYBODY = "DEFAULT"  # an entry for everybody, in quotes as well


def emit(target: Target) -> Output:
    found = tuple(intakes(target.policy))
    problems = tuple(_problems(target.policy, found))
    if not found or problems:
        return Output((), problems)
    files = {"mods-config/files/authorize": "authorize.j2", "policy.d/segc": "policy.j2"}
    texts = {name: template(__name__, each).render(zones=found, bare=bare) for name, each in files.items()}
    return Output(tuple(Artifact(NODE, name, text) for name, text in texts.items()))


def limits(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG503` for names that the server's files cannot hold."""
    return _problems(policy, tuple(intakes(policy)))


def _problems(policy: Policy, found: tuple[Intake, ...]) -> Iterator[Diagnostic]:
    yield from _unwritable(found)
    yield from _taken(policy, found)


def _unwritable(found: tuple[Intake, ...]) -> Iterator[Diagnostic]:
    for intake in found:
        yield from (_no_name(user) for user in intake.users if not _writable(user.name))


def _taken(policy: Policy, found: tuple[Intake, ...]) -> Iterator[Diagnostic]:
    """Nodes whose folder would be the server's."""
    nodes: list[Gateway | Switch] = [*policy.gateways.values(), *policy.switches.values()]
    for node in nodes:
        if found and node.name.casefold() == NODE and node.span:
            yield finding(
                "SEG503",
                f"`{node.name}` is where the files for the RADIUS server go",
                node.span,
                help="rename it: what is compiled for a node goes into a folder of its name",
            )


def _writable(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and name != ANYBODY and len(name.encode()) <= LONGEST


def _no_name(user: Entrant) -> Diagnostic:
    return finding(
        "SEG503",
        f"FreeRADIUS cannot be told of a user called {quote(user.name)}",
        user.span,
        help="letters, digits and `._@+=~/$'-` are understood; give the user such a name, or no zone",
    )


def bare(mac: str) -> str:
    """A MAC address as switches send it for a user name: twelve lower-case hex digits."""
    return mac.replace(":", "")
