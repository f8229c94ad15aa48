"""Frozen dataclasses of our own do what the standard library's do."""

import pickle
from copy import copy
from dataclasses import field, fields, replace
from pathlib import Path

import pytest
from mypy import api

from segc.frozen import entity, frozen


@frozen
class Point:
    """Two numbers and where they were read."""

    x: int
    y: int = 0
    place: str = field(default="", compare=False, repr=False)


@frozen
class Other:
    x: int
    y: int = 0


@frozen
class Empty:
    pass


@frozen
class Named:
    name: str
    length: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))

    def __hash__(self) -> int:
        return 7


@entity
class Thing:
    name: str


def test_equality_is_that_of_compared_fields() -> None:
    assert Point(1, 2, "here") == Point(1, 2, "there")
    assert Point(1, 2) != Point(2, 1)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 0)
    assert Empty() == Empty()


def test_what_is_equal_has_one_hash() -> None:
    assert len({Point(1, 2, "here"), Point(1, 2, "there"), Point(1, 3)}) == 2
    assert hash(Empty()) == hash(Empty())
    assert hash(Named("a")) == 7


def test_entities_are_equal_to_themselves_alone() -> None:
    one, other = Thing("a"), Thing("a")
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_text_of_one() -> None:
    assert repr(Point(1, 2, "here")) == "Point(x=1, y=2)"
    assert repr(Thing("a")) == "Thing(name='a')"


def test_what_dataclasses_can_do() -> None:
    assert replace(Point(1, 2), y=3) == Point(1, 3)
    assert [each.name for each in fields(Point)] == ["x", "y", "place"]
    assert pickle.loads(pickle.dumps(Point(1, 2, "here"))).place == "here"
    assert copy(Named("abc")).length == 3
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_nothing_but_the_fields_can_be_set() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 2  # type: ignore[attr-defined]


def test_mypy_refuses_assignments(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from segc.frozen import frozen\n\n@frozen\nclass A:\n    x: int\n\nA(1).x = 2\nA('')\n")
    told, _, code = api.run(["--no-incremental", "--follow-imports=silent", str(wrong)])
    assert code == 1
    assert 'Property "x" defined in "A" is read-only' in told
    assert 'has incompatible type "str"' in told
