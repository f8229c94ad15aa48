"""Words, and who or where a flow begins and ends."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span


@frozen
class Word:
    """A name, number, address or other bare word; or a string, then without its quotes."""

    text: str
    span: Span = field(compare=False, repr=False)


@frozen
class AnyTerm:
    """`any`: every zone, never a gateway."""

    span: Span = field(compare=False, repr=False)


@frozen
class NameTerm:
    """A zone or a set (`hr`), or a host of a zone (`hr.payroll`)."""

    name: Word
    host: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class TagTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


@frozen
class AddressTerm:
    """An address, a prefix or a range `first-last`, of either family."""

    text: str
    span: Span = field(compare=False, repr=False)


@frozen
class GroupTerm:
    """`group G`, or `group G in (vpn, hr)`; `zones` is empty where no `in` was written."""

    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class UserTerm:
    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class GatewayTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


Term = AnyTerm | NameTerm | TagTerm | AddressTerm | GroupTerm | UserTerm | GatewayTerm


@frozen
class End:
    """One end of a flow: the union of `terms` less the union of `excepted`."""

    terms: tuple[Term, ...]
    excepted: tuple[Term, ...]
    span: Span = field(compare=False, repr=False)
