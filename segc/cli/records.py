"""What is open, as records: the rows of tables, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from segc.analysis.reach.grants import Grant, existing
from segc.analysis.reach.places import Place, split
from segc.analysis.reach.wording import Names, Terms, terms
from segc.diagnostics.json_format import scalars
from segc.frozen import frozen
from segc.policy.model import Flow, Zone
from segc.source import SourceFile
from segc.space.services import ServiceSet

Sources = Mapping[str, SourceFile]
COLUMNS = ("from", "source", "to", "destination", "services", "conditions", "file", "line")


@frozen
class Record:
    """What a statement opens between two places; `source` and `destination` say which part of them."""

    origin: Place
    source: str
    target: Place
    destination: str
    services: ServiceSet
    terms: Terms
    by: Flow | Zone

    def order(self) -> tuple[object, ...]:
        """By places, then by statement."""
        return self.origin, self.target, self.by.span, self.source, self.destination

    @property
    def plain(self) -> bool:
        """Whether it is open to everybody there, at all times."""
        return not self.terms.words

    @property
    def conditions(self) -> str:
        within = [] if isinstance(self.by, Flow) else ["within the zone"]
        return ", ".join([*within, *self.terms.words]) or "always"


def records(grants: Iterable[Grant], names: Names, asked: int = 0) -> list[Record]:
    """The grants by the places that they lie between; what differs in services only is one record, and so
    is what one statement opens in several ways, such as `serve dns, ntp`."""
    found: dict[tuple[object, ...], Record] = {}
    for each in (each for grant in grants for each in _between(grant, names, asked)):
        key = (each.origin, each.source, each.target, each.destination, each.terms, each.by.span)
        known = found.get(key)
        found[key] = replace(known, services=known.services | each.services) if known else each
    return list(found.values())


def _between(grant: Grant, names: Names, asked: int) -> Iterator[Record]:
    survey = names.survey
    said = terms(grant, survey, asked)
    for origin, source in split(grant.box.source, survey):
        for target, destination in split(grant.box.destination, survey):
            services = existing(grant.box._replace(source=source, destination=destination), survey)
            if services:
                ends = names.part(origin, source), target, names.part(target, destination)
                yield Record(origin, *ends, services, said, grant.by)


def statement(by: Flow | Zone, sources: Sources) -> dict[str, object]:
    span = by.span
    text = sources[span.path].text[span.start : span.end]
    identity = {"id": by.id} if isinstance(by, Flow) else {"zone": by.name}
    return {"file": scalars(span.path), "line": span.line, "text": text, **identity}


def as_object(record: Record, names: Names, sources: Sources) -> dict[str, object]:
    """See `grant` in `segc/schemas/reach.schema.json`."""
    return {
        "from": place_object(record.origin),
        "source": record.source,
        "to": place_object(record.target),
        "destination": record.destination,
        "services": str(record.services),
        "named": names.services(record.services),
        "conditions": _conditions(record.terms, sources),
        "statement": statement(record.by, sources),
    }


def place_object(place: Place) -> dict[str, str]:
    return {"kind": place.kind, "name": place.name}


def _conditions(said: Terms, sources: Sources) -> dict[str, object]:
    return {
        "who": list(said.who),
        "to": list(said.to),
        "mfa": said.mfa,
        "postures": list(said.postures),
        "when": said.when,
        "from": said.first,
        "until": said.until,
        "limit": said.limit,
        "unless": [statement(deny, sources) for deny in said.unless],
    }


def fields(record: Record) -> list[object]:
    """As `COLUMNS` names them."""
    span = record.by.span
    origin, target = str(record.origin), str(record.target)
    ends = [origin, record.source, target, record.destination]
    return [*ends, str(record.services), record.conditions, scalars(span.path), span.line]


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180, but for its line ends: one header, one row a record."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
