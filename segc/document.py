"""Reading JSON (RFC 8259) of which nobody knows whether it is whole: all that may be wrong is one exception.

`read_json` takes what every reader understands alike (I-JSON, RFC 7493): UTF-8, each name once in its object,
finite numbers. `shaped` makes of that what a type says: dataclasses and named tuples by their members.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Shape = TypeVar("Shape")
Pairs = list[tuple[str, Any]]
WIDE = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
WORDS: dict[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
}
_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
_QUOTED = 40  # characters of a name or a number that are shown


class DocumentError(ValueError):
    """`reason` goes on after the name of what was read: `nests too deeply`. `at` is where in the text, where
    one place is to blame."""

    def __init__(self, reason: str, at: int | None = None) -> None:
        super().__init__(f"it {reason}")
        self.reason, self.at = reason, at


def once(pairs: Pairs) -> dict[str, Any]:
    """An object, of which no name stands twice: readers differ in which of the two counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DocumentError(f"gives `{_shown(twice(pairs))}` twice")
    return found


def twice(pairs: Pairs) -> str:
    """The first name that stands twice."""
    times = Counter(name for name, _ in pairs)
    return next(name for name, count in times.items() if count > 1)


def _shown(name: str) -> str:
    """The beginning of a name, of which nothing does anything to a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name[:_QUOTED])


def _finite(text: str) -> float:
    if math.isinf(found := float(text)):
        raise DocumentError(f"holds a number that is too large: {text[:_QUOTED]}")
    return found


def _no_number(text: str) -> float:
    raise DocumentError(f"is no JSON: {text} is no number")


def _decoder(pairs: Callable[[Pairs], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_float=_finite, parse_constant=_no_number)


_DECODER = _decoder(once)


def read_json(data: str | bytes, pairs: Callable[[Pairs], Any] | None = None) -> Any:
    """The value of a JSON text. `pairs` makes objects of their members, by default `once`. DocumentError."""
    text = _text(data)
    decoder = _DECODER if pairs is None else _decoder(pairs)
    try:
        found = decoder.decode(text)
        if _HALVES.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        words = error.msg.partition(" (")[0]  # in which Python has advice for programmers
        raise DocumentError(f"is no JSON: {words[:1].lower()}{words[1:]}", error.pos) from None
    except RecursionError:
        raise DocumentError("nests too deeply") from None
    except UnicodeEncodeError:
        raise DocumentError("holds half of a surrogate pair, which no text can have") from None
    except DocumentError:
        raise
    except ValueError:  # which Python does not read, lest it take for ever
        raise DocumentError("holds a number of thousands of digits") from None
    return found


def _text(data: str | bytes) -> str:
    if isinstance(data, bytes) and data[:2] in WIDE:
        raise DocumentError(f"is {WIDE[data[:2]]}, not UTF-8")
    try:
        if isinstance(data, bytes):
            text = data.decode("utf-8-sig")
        elif not (text := data).isascii():
            text.encode()
    except UnicodeError:
        raise DocumentError("is not UTF-8") from None
    if not text.strip():
        raise DocumentError("is empty", 0)
    return text


# -- shapes ----------------------------------------------------------------------------------------------


def shaped(kind: type[Shape], found: Any) -> Shape:
    """What JSON holds, as a type has it. DocumentError.

    Objects become dataclasses, named tuples or dictionaries, and lists tuples or sets, of what their types
    say; texts become enumerations. A member without a type of ours is passed over, one that is not there has
    its default. true is no number.
    """
    value: Shape = _shaped(kind, found, "")
    return value


def scalar(found: Any) -> str:
    """A value in a message: itself, but of a list or an object only what it is."""
    kinds: dict[Any, str] = {list: "a list", dict: "an object"}
    return kinds.get(type(found)) or json.dumps(found)[:_QUOTED]


def _shaped(kind: Any, found: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin is UnionType:
        kinds = get_args(kind)
        return found if type(found) in kinds else _shaped(kinds[0], found, where)
    if origin in (dict, Mapping):
        inner, values = get_args(kind)[1], _held(found, dict, where)
        return {name: _shaped(inner, each, f"{where}.{name}") for name, each in values.items()}
    if origin in (tuple, frozenset, Sequence):
        each_of = _listed(get_args(kind)[0], _held(found, list, where), where)
        return frozenset(each_of) if origin is frozenset else tuple(each_of)
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return _made(kind, _held(found, dict, where), where)
    if issubclass(kind, Enum):
        if found not in [each.value for each in kind]:
            raise _other(where, "one of its words")
        return kind(found)
    return float(found) if kind is float and type(found) is int else _held(found, kind, where)


def _listed(kind: Any, found: list[Any], where: str) -> list[Any]:
    if kind is str and all(type(each) is str for each in found):  # of which there may be very many
        return found
    return [_shaped(kind, each, f"{where}.{number}") for number, each in enumerate(found)]


def _held(found: Any, kind: type[Shape], where: str) -> Shape:
    if type(found) is not kind:
        raise _other(where, WORDS.get(kind) or scalar(kind()))
    return found


def _other(where: str, wanted: str) -> DocumentError:
    at = f" in `{_shown(where[1:])}`" if where else ""
    return DocumentError(f"holds something else than {wanted}{at}")


def _made(kind: Any, found: Mapping[str, Any], where: str) -> Any:
    hints, needed = _members(kind)
    lacking = next((name for name in needed if name not in found), None)
    if lacking is not None:
        raise DocumentError(f"lacks `{_shown(f'{where}.{lacking}'[1:])}`")
    given = ((name, each) for name, each in hints.items() if name in found)
    return kind(**{name: _shaped(each, found[name], f"{where}.{name}") for name, each in given})


@lru_cache
def _members(kind: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The types of its members, and which of those have no default."""
    hints = get_type_hints(kind)
    if not is_dataclass(kind):
        return hints, tuple(name for name in kind._fields if name not in kind._field_defaults)
    bare = (each for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING)
    return hints, tuple(each.name for each in bare)
