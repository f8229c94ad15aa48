"""The grammar as a parser: found, built when first needed, its tables kept in the user's cache."""

from __future__ import annotations

import sys
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import segc
from segc import cache as disk


@cache
def text() -> str:
    """The grammar: in an installed segc beside the code, in a checkout one folder up."""
    inside = Path(segc.__file__).parent / "grammar" / "segc.lark"
    outside = Path(segc.__file__).parent.parent / "grammar" / "segc.lark"
    return (inside if inside.is_file() else outside).read_text(encoding="utf-8")


@cache
def fingerprint() -> str:
    return sha256(text().encode()).hexdigest()


class WholeWords:
    """Lark's hook between lexer and parser, used for one thing: NAME is lexed in every state."""

    always_accept = ("NAME",)

    @staticmethod
    def process(stream: Any) -> Any:
        return stream


def lark(transformer: object) -> Any:
    """A `Lark` whose productions call the methods of `transformer`; 10 ms where its tables are cached."""
    import lark

    key = disk.key(text(), lark.__version__, sys.version)
    tables = disk.load("grammar", key)
    if tables is not None:
        try:
            return lark.Lark._load_from_dict(  # type: ignore[no-untyped-call]
                tables["data"], tables["memo"], transformer=transformer, postlex=WholeWords()
            )
        except Exception:
            tables = None
    built = _build(transformer)
    buffer = BytesIO()
    built.save(buffer, exclude_options=("transformer", "postlex"))
    disk.put("grammar", key, buffer.getvalue())
    return built


def _build(transformer: Any) -> Any:
    from lark import Lark

    return Lark(
        text(),
        parser="lalr",
        lexer="contextual",
        postlex=WholeWords(),
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=transformer,
    )
