"""What a policy says of itself: what must never be, what has to work, and tests of both."""

from __future__ import annotations

from dataclasses import dataclass

from segc.policy.model.flows import End
from segc.source import Span
from segc.space.services import ServiceSet


@dataclass(frozen=True, slots=True, eq=False)
class Never:
    source: End
    destination: End
    services: ServiceSet
    transitive: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    source: End
    destination: End
    services: ServiceSet
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    name: str
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """`at` in Unix seconds; None says: at every time."""

    action: str
    source: End
    destination: End
    services: ServiceSet
    mfa: bool
    postures: tuple[str, ...]
    at: int | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    title: str
    expectations: tuple[Expectation, ...]
    span: Span
