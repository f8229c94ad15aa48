"""The flows of one file, as passes on them and as plain data to be kept between runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from segc.policy.ends.table import EndTable
from segc.policy.model import Conditions, End, Flow, Limit, Part, Schedule, Subject, Zone
from segc.source import Span
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet

Plain = Any  # numbers, texts, None, and tuples of these


class FileFlows(NamedTuple):
    """The flows of one file in order of their ids, and the names that its author gave to some of them."""

    flows: Sequence[Flow]
    names: Sequence[tuple[str, Span]]


def pack(found: FileFlows, zones: Mapping[str, Zone]) -> Plain:
    """What `unpack` makes the same flows of, against the same definitions; None where it could not.

    Dates are seconds by a table of time zones that may be another one next time.
    """
    flows = found.flows
    if any(flow.conditions.not_before or flow.conditions.not_after for flow in flows):
        return None
    ends: dict[End, int] = {}
    services: dict[ServiceSet, int] = {}
    conditions: dict[Conditions, int] = {}
    rows = tuple(
        (
            flow.id,
            flow.action,
            flow.staged,
            ends.setdefault(flow.source, len(ends)),
            ends.setdefault(flow.destination, len(ends)),
            services.setdefault(flow.services, len(services)),
            conditions.setdefault(flow.conditions, len(conditions)),
            tuple(flow.limit) if flow.limit else None,
            flow.log,
            *flow.span[1:],
        )
        for flow in flows
    )
    return (
        tuple(_end(end, zones) for end in ends),
        tuple(each.parts for each in services),
        tuple((mfa, postures, when and tuple(when)) for mfa, postures, when, _, _ in conditions),
        rows,
        tuple((name, *span[1:]) for name, span in found.names),
    )


def unpack(packed: Plain, path: str, table: EndTable) -> FileFlows:
    """The flows of the file at `path`, with the ends of `table`. Raises on what `pack` never made."""
    packed_ends, packed_services, packed_conditions, rows, names = packed
    ends = [_read_end(each, table) for each in packed_ends]
    services = [ServiceSet(parts) for parts in packed_services]
    conditions = [
        Conditions(mfa, postures, Schedule(*when) if when else None)
        for mfa, postures, when in packed_conditions
    ]
    flows = [
        Flow(
            ident,
            action,
            staged,
            ends[source],
            ends[destination],
            services[service],
            conditions[condition],
            Limit(*limit) if limit else None,
            log,
            "flow",
            Span(path, *place),
        )
        for ident, action, staged, source, destination, service, condition, limit, log, *place in rows
    ]
    return FileFlows(flows, [(name, Span(path, *where)) for name, *where in names])


def _end(end: End, zones: Mapping[str, Zone]) -> Plain:
    """Most ends are zones, whose name says all."""
    zone = zones.get(end.text)
    if zone and end.parts == (Part(zone.space),) and not end.gateways:
        return end.text
    return end.text, tuple(map(_part, end.parts)), end.gateways, end.zones


def _part(part: Part) -> Plain:
    unless = tuple((tuple(subject), _space(space)) for subject, space in part.unless)
    return _space(part.space), part.subject and tuple(part.subject), unless


def _space(space: PrefixSet) -> Plain:
    return space.v4, space.v6


def _read_end(packed: Plain, table: EndTable) -> End:
    if isinstance(packed, str):
        return table.recall(packed, (Part(table.zones[packed].space),), (), (packed,))
    text, parts, gateways, zones = packed
    return table.recall(text, tuple(_read_parts(parts)), gateways, zones)


def _read_parts(parts: Plain) -> Iterable[Part]:
    for space, subject, unless in parts:
        without = tuple((Subject(*who), PrefixSet(*where)) for who, where in unless)
        yield Part(PrefixSet(*space), Subject(*subject) if subject else None, without)
