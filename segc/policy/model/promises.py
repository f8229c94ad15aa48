"""What a policy says of itself: what must never be, what has to work, and tests of both."""

from __future__ import annotations

from segc.frozen import entity
from segc.policy.model.flows import End
from segc.source import Span
from segc.space.services import ServiceSet


@entity
class Never:
    source: End
    destination: End
    services: ServiceSet
    transitive: bool
    span: Span


@entity
class Step:
    source: End
    destination: End
    services: ServiceSet
    span: Span


@entity
class Workflow:
    name: str
    steps: tuple[Step, ...]
    span: Span


@entity
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


@entity
class Test:
    title: str
    expectations: tuple[Expectation, ...]
    span: Span
