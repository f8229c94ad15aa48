"""Frozen dataclasses that cost little to define and to make (docs/decisions/0035).

`dataclass(frozen=True)` compiles six methods for each class whenever segc starts. Here one is compiled,
`__init__`, and the others are shared; who refuses assignments is mypy, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(made: type[T]) -> type[T]:
    """A slotted dataclass that is equal to what has the same fields, but for those with `compare=False`."""
    cls = _slotted(made)
    compared = [each.name for each in fields(cls) if each.compare]
    values: Callable[[Any], Any] = attrgetter(*compared) if compared else type

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    cls.__eq__ = equal
    if "__hash__" not in vars(made):
        cls.__hash__ = hashed
    return cls  # type: ignore[no-any-return]


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def entity(made: type[T]) -> type[T]:
    """A slotted dataclass that is equal to itself alone."""
    return _slotted(made)  # type: ignore[no-any-return]


def _slotted(made: type[Any]) -> Any:
    made.__doc__ = made.__doc__ or made.__name__  # or dataclass would work out a signature for it
    cls: Any = dataclass(slots=True, eq=False, repr=False)(made)
    if "__repr__" not in vars(made):
        cls.__repr__ = _shown
    return cls


def _shown(self: Any) -> str:
    told = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({told})"
