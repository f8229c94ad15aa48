"""The matrix of who reaches whom, as wide as a terminal, or as JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from segc.analysis.reach.matrix import Matrix
from segc.analysis.reach.places import Place
from segc.analysis.reach.wording import Names
from segc.cli.reached import aligned
from segc.cli.records import COLUMNS, Record, Sources, as_csv, as_object, fields, place_object, records
from segc.diagnostics.measure import display_width
from segc.space.services import EMPTY, ServiceSet

NARROWEST = 3  # cells of a column
CONDITIONAL, PARTIAL, NOTHING = "*", "'", "."
KEY = f"{CONDITIONAL} only under conditions or for some people   {PARTIAL} only between parts of the two"


class Filled(NamedTuple):
    """A cell that is not empty, as records."""

    row: Place
    column: Place
    records: tuple[Record, ...]

    @property
    def services(self) -> ServiceSet:
        return _union(self.records)

    @property
    def plain(self) -> ServiceSet:
        """What is open to everybody there, at all times."""
        return _union([each for each in self.records if each.plain])

    @property
    def marks(self) -> str:
        whole = [each for each in self.records if self._whole(each)]
        conditional = self.plain != self.services
        return CONDITIONAL * conditional + PARTIAL * (_union(whole) != self.services)

    def _whole(self, record: Record) -> bool:
        """Whether a record speaks of all of both places; where members of a group sit is no matter."""
        source = self.row.kind == "group" or record.source == str(record.origin)
        return source and record.destination == str(record.target)


def _union(found: Sequence[Record]) -> ServiceSet:
    services = EMPTY
    for each in found:
        services = services | each.services
    return services


def matrix_document(matrix: Matrix, sources: Sources, format: str, width: int) -> str:
    """The matrix as `text`, `json` or `csv`."""
    names = Names(matrix.survey)
    cells = list(_filled(matrix, names))
    if format == "text":
        return _text(matrix, cells, names, width)
    if format == "csv":
        rows = ([str(cell.row), *fields(each)[1:]] for cell in cells for each in cell.records)
        return as_csv(COLUMNS, rows)
    content = {
        "rows": [place_object(each) for each in _rows(matrix)],
        "columns": [place_object(each) for each in _columns(matrix)],
        "cells": [_object(cell, names, sources) for cell in cells],
    }
    return json.dumps(content, indent=2) + "\n"


def _filled(matrix: Matrix, names: Names) -> Iterator[Filled]:
    order = {place: number for number, place in enumerate(_rows(matrix))}
    for row, column in sorted(matrix.cells, key=lambda each: (order[each[0]], order[each[1]])):
        asked = matrix.guard_of(row.name) if row.kind == "group" else 0
        yield Filled(row, column, tuple(records(matrix.cells[row, column], names, asked)))


def _columns(matrix: Matrix) -> list[Place]:
    policy = matrix.context.policy
    gateways = [Place("gateway", name) for name in policy.gateways]
    used = {place for pair in matrix.cells for place in pair}
    return [*(Place("zone", name) for name in policy.zones), *(each for each in gateways if each in used)]


def _rows(matrix: Matrix) -> list[Place]:
    groups = [Place("group", name) for name in matrix.context.policy.groups]
    return [*_columns(matrix), *groups]


def _object(cell: Filled, names: Names, sources: Sources) -> dict[str, object]:
    """See `cell` in `segc/schemas/reach.schema.json`."""
    return {
        "from": place_object(cell.row),
        "to": place_object(cell.column),
        "services": str(cell.services),
        "always": str(cell.plain) if cell.plain else None,
        "grants": [as_object(each, names, sources) for each in cell.records],
    }


def _text(matrix: Matrix, cells: list[Filled], names: Names, width: int) -> str:
    """In full where that fits, else with a letter for each set of services, else as a list."""
    found = {(cell.row, cell.column): cell for cell in cells}
    rows, columns = _rows(matrix), _columns(matrix)
    rows = [each for each in rows if each in columns or any((each, column) in found for column in columns)]
    for layout in (_named, _lettered) if NARROWEST * len(columns) <= width else ():
        lines = layout(rows, columns, found, names)
        if max(map(display_width, lines)) <= width:
            break
    else:
        lines = _listed(cells, names)
    return "\n".join([*lines, "", KEY]) + "\n"


Cells = dict[tuple[Place, Place], Filled]


def _named(rows: list[Place], columns: list[Place], found: Cells, names: Names) -> list[str]:
    """Services by name, one below the other."""
    table = [["", *map(str, columns)]]
    for row in rows:
        stacks = [[str(row)]]
        for column in columns:
            cell = found.get((row, column))
            stacks.append(names.services(cell.services).split(", ") if cell else [NOTHING])
            if cell:
                stacks[-1][-1] += cell.marks
        table += [list(line) for line in zip_longest(*stacks, fillvalue="")]
    return aligned(table)


def _lettered(rows: list[Place], columns: list[Place], found: Cells, names: Names) -> list[str]:
    """A letter for each set of services, and a number for each column."""
    letters: dict[ServiceSet, str] = {}
    for cell in found.values():
        letters.setdefault(cell.services, _letter(len(letters)))
    table = [["", "", *(str(n) for n, _ in enumerate(columns, 1))]]
    for number, row in enumerate(rows, 1):
        cells = [found.get((row, column)) for column in columns]
        texts = [letters[cell.services] + cell.marks if cell else NOTHING for cell in cells]
        table.append([str(number) if row in columns else "", str(row), *texts])
    legend = aligned([[letter, names.services(services)] for services, letter in letters.items()])
    return [*aligned(table), "", *legend]


def _letter(number: int) -> str:
    """a, b, …, z, aa, ab, …"""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _listed(cells: list[Filled], names: Names) -> list[str]:
    """A line for each cell that is not empty."""
    rows = [[f"{cell.row} -> {cell.column}", names.services(cell.services) + cell.marks] for cell in cells]
    return aligned(rows) if rows else ["nothing is open"]
