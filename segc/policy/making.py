"""Flows with their ids, whatever they stem from."""

from __future__ import annotations

import hashlib
import re

from segc.policy.model import NO_CONDITIONS, Conditions, End, Flow, Limit
from segc.source import Span
from segc.space.services import ServiceSet


def make_flow(
    *,
    action: str,
    staged: bool = False,
    name: str | None = None,
    source: End,
    destination: End,
    services: ServiceSet,
    conditions: Conditions = NO_CONDITIONS,
    limit: Limit | None = None,
    log: bool = False,
    kind: str = "flow",
    span: Span,
) -> Flow:
    """A flow with its id: the name it was given, or its ends and a digest of all that it means."""
    if name is not None:
        ident = name
    else:
        ends = source.text, destination.text, str(services)
        meaning = (action, staged, *ends, _values(conditions), _values(limit), log, kind)
        digest = hashlib.blake2b(repr(meaning).encode(), digest_size=4).hexdigest()
        ident = f"{_slug(source)}-{_slug(destination)}-{digest}"
    return Flow(ident, action, staged, source, destination, services, conditions, limit, log, kind, span)


def _values(item: object) -> object:
    """A named tuple without the names of its fields, which may change while the meaning does not."""
    return tuple(map(_values, item)) if isinstance(item, tuple) else item


def _slug(end: End) -> str:
    first = end.text.partition(",")[0].partition(" except")[0]
    return re.sub(r"[^A-Za-z0-9_.]+", "_", first).strip("_")[:24]


def gateway_end(name: str) -> End:
    return End(f"gateway {name}", (), (name,))
