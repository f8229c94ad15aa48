"""Files kept between runs as bytes: reading one back is several times faster than parsing its text again.

Its flows are kept apart from the rest, since a later pass may know them already in a better form.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from io import BytesIO
from operator import attrgetter
from typing import Any

from segc.syntax import tree


def _by_fields(kind: Any) -> Any:
    """Calling the class is faster than setting what its fields were, and takes two thirds of the bytes."""
    names = [field.name for field in fields(kind)]
    if len(names) == 1:
        return lambda node: (kind, (getattr(node, names[0]),))
    values = attrgetter(*names)
    return lambda node: (kind, values(node))


_REDUCERS: dict[Any, Any] = {kind: _by_fields(kind) for kind in vars(tree).values() if is_dataclass(kind)}


def dumps(statements: tuple[tree.Statement, ...]) -> bytes:
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(statements)
    return buffer.getvalue()


def loads(data: bytes) -> Any:
    """The statements of `dumps`, from a trusted place. Raises whatever a damaged pickle raises."""
    return pickle.loads(data)


@dataclass(frozen=True)
class StoredFile:
    """A `tree.File` whose flows are read when somebody asks for them."""

    path: str
    rest: tuple[tree.Statement, ...]
    read_flows: Callable[[], tuple[tree.Flow, ...]]

    @cached_property
    def flows(self) -> tuple[tree.Flow, ...]:
        return self.read_flows()

    @property
    def statements(self) -> tuple[tree.Statement, ...]:
        return tuple(sorted((*self.rest, *self.flows), key=lambda each: each.span))


AnyFile = tree.File | StoredFile
