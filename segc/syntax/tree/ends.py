"""Words, and who or where a flow begins and ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from segc.source import Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name, number, address or other bare word; or a string, then without its quotes."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AnyTerm:
    """`any`: every zone, never a gateway."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NameTerm:
    """A zone or a set (`hr`), or a host of a zone (`hr.payroll`)."""

    name: Word
    host: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TagTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AddressTerm:
    """An address, a prefix or a range `first-last`, of either family."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupTerm:
    """`group G`, or `group G in (vpn, hr)`; `zones` is empty where no `in` was written."""

    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UserTerm:
    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GatewayTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


Term = AnyTerm | NameTerm | TagTerm | AddressTerm | GroupTerm | UserTerm | GatewayTerm


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow: the union of `terms` less the union of `excepted`."""

    terms: tuple[Term, ...]
    excepted: tuple[Term, ...]
    span: Span = field(compare=False, repr=False)
