"""Answers to who can reach what: as tables for people, as JSON and as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from segc.analysis.conflicts.context import Context
from segc.analysis.reach.hops import Hop
from segc.analysis.reach.places import Place, split
from segc.analysis.reach.questions import Question, Reached, chains, one_hop
from segc.analysis.reach.wording import Names
from segc.cli.asking import Asked
from segc.cli.findings import counted
from segc.cli.records import COLUMNS, Record, Sources, as_csv, as_object, fields, place_object, records
from segc.diagnostics.measure import display_width, printable

HOP_COLUMNS = ("reached", "hops", "hop", *COLUMNS)
SERVICES_SHOWN = 4


def grants_document(asked: Asked, question: Question, context: Context, sources: Sources, format: str) -> str:
    """One hop: what each statement opens of the question."""
    names = Names(context.survey)
    listed = sorted(records(one_hop(context, question), names, _guard(question)), key=Record.order)
    if format == "csv":
        return as_csv(COLUMNS, map(fields, listed))
    if format == "json":
        objects = [as_object(each, names, sources) for each in listed]
        return _json(asked, "one", grants=objects)
    return _told(asked, _table(listed, names), _summary(listed, question))


def _guard(question: Question) -> int:
    """Who the question asks for, if that is the same in all of its parts."""
    guards = {box.guard for box in question.boxes}
    return guards.pop() if len(guards) == 1 else 0


def _summary(listed: Sequence[Record], question: Question) -> str:
    if not listed:
        return "nothing is open; `--any` looks for chains of hops"
    far = {each.origin if question.from_all else each.target for each in listed}
    which = "from" if question.from_all else "to"
    statements = len({each.by for each in listed})
    return (
        f"{which} {counted(len(far), 'place')}, by {counted(statements, 'statement')}; nothing else is open"
    )


def _table(listed: Sequence[Record], names: Names) -> list[str]:
    rows = [
        (f"{each.source} -> {each.destination}", _short(names, each), each.conditions, each.by.span.place)
        for each in listed
    ]
    return aligned(rows)


def _short(names: Names, record: Record) -> str:
    texts = names.services(record.services).split(", ")
    more = len(texts) - SERVICES_SHOWN
    return ", ".join(texts[:SERVICES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, in columns two apart."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(_padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in shown]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def chains_document(
    asked: Asked,
    question: Question,
    context: Context,
    sources: Sources,
    format: str,
) -> str:
    """Any number of hops: a shortest chain to, or from, every part of every place."""
    names = Names(context.survey)
    grouped = _grouped(chains(context, question), names)
    if format == "csv":
        rows = [
            [part, len(chain), number, *fields(each)]
            for _, part, chain in grouped
            for number, hop in enumerate(chain, 1)
            for each in _hop(hop, names)
        ]
        return as_csv(HOP_COLUMNS, rows)
    if format == "json":
        objects = [
            {
                "place": place_object(place),
                "part": part,
                "hops": len(chain),
                "chain": [as_object(each, names, sources) for hop in chain for each in _hop(hop, names)],
            }
            for place, part, chain in grouped
        ]
        return _json(asked, "any", reached=objects)
    lines = [line for _, part, chain in grouped for line in _chain_lines(part, chain, names)]
    places = len({place for place, _, _ in grouped})
    word = "start in" if question.from_all else "lead to"
    none = "no chain starts there" if question.to_all else "no chain leads there"
    return _told(asked, lines, f"chains {word} {counted(places, 'place')}" if lines else none)


Group = tuple[Place, str, list[Hop]]


def _grouped(found: Iterable[Reached], names: Names) -> list[Group]:
    """Classes of one place with the same statements on their chains, together."""
    parts: dict[tuple[Place, tuple[object, ...]], tuple[int, list[Hop]]] = {}
    for each in found:
        ((place, mask),) = split(1 << each.node, names.survey)
        key = (place, tuple(hop.grant.by for hop in each.chain))
        before, chain = parts.get(key, (0, each.chain))
        parts[key] = (before | mask, chain)
    return [(place, names.part(place, mask), chain) for (place, _), (mask, chain) in parts.items()]


def _hop(hop: Hop, names: Names) -> list[Record]:
    box = hop.grant.box._replace(source=1 << hop.source, destination=1 << hop.destination)
    return records([hop.grant._replace(box=box)], names)


def _chain_lines(part: str, chain: list[Hop], names: Names) -> list[str]:
    table = _table([each for hop in chain for each in _hop(hop, names)], names)
    return [f"{counted(len(chain), 'hop')}: {printable(part)}", *(f"  {line}" for line in table)]


def _told(asked: Asked, lines: list[str], summary: str) -> str:
    return "\n".join([printable(str(asked)), *(f"  {line}" for line in lines), summary]) + "\n"


def _json(asked: Asked, hops: str, **answer: object) -> str:
    """See `segc/schemas/reach.schema.json`."""
    question = {"from": asked.source or None, "to": asked.destination or None, "services": asked.services}
    return json.dumps({"question": question, "hops": hops, **answer}, indent=2) + "\n"
