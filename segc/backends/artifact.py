"""What a backend hands over: text for a node, and what it could not express."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from segc.cache import FORGETFUL, Memo
from segc.diagnostics.model import Diagnostic
from segc.frozen import frozen
from segc.policy.model import Policy
from segc.source import Span


class Artifact(NamedTuple):
    """One file for one node: `gw1/ruleset.nft` has node `gw1` and name `ruleset.nft`."""

    node: str
    name: str
    text: str


class Output(NamedTuple):
    artifacts: tuple[Artifact, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


@frozen
class Target:
    """What every backend gets: the policy, its digest, and how to word a span as `file:line`.

    What is worked out for a file may be kept in `memo`, where `context` names all definitions of the policy.
    """

    policy: Policy
    digest: str
    place: Callable[[Span], str]
    memo: Memo = FORGETFUL
    context: str = ""


Backend = Callable[[Target], Output]
Limits = Callable[[Policy], Iterable[Diagnostic]]
