"""Who may reach what, and what must hold of that."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span
from segc.syntax.tree.ends import End, Word
from segc.syntax.tree.services import Service


@frozen
class Requirement:
    """`mfa` (then `posture` is None) or `posture NAME`."""

    posture: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class When:
    """`when mon-fri 08:00-18:00`: `days` are `mon`…`sun`, `mon-fri` or `daily`."""

    days: tuple[Word, ...]
    hours: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class Options:
    """What may follow a flow, each at most once; a second one is kept in `repeated` to be complained of."""

    require: tuple[Requirement, ...] = ()
    when: When | None = None
    not_before: Word | None = None
    until: Word | None = None
    limit: Word | None = None  # `200/second`
    log: Word | None = None
    owner: Word | None = None
    ticket: Word | None = None
    because: Word | None = None
    repeated: tuple[Word, ...] = ()


@frozen
class Flow:
    action: str  # allow, deny
    staged: bool
    name: Word | None
    source: End
    destination: End
    services: tuple[Service, ...]
    options: Options
    span: Span = field(compare=False, repr=False)


@frozen
class Never:
    source: End
    destination: End
    transitive: bool  # ~>
    services: tuple[Service, ...]  # empty: any
    because: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class Step:
    source: End
    destination: End
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Workflow:
    name: Word
    steps: tuple[Step, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Expectation:
    """A line of a `test`: every packet of it must get the verdict."""

    action: str  # allow, deny
    source: End
    destination: End
    services: tuple[Service, ...]
    facts: tuple[Requirement, ...]  # with mfa, posture managed
    at: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class Test:
    title: Word
    expectations: tuple[Expectation, ...]
    span: Span = field(compare=False, repr=False)
