"""The grammar as a parser: found, built when first needed, its tables kept in the user's cache."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import segc


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


def build(transformer: object) -> Any:
    from lark import Lark

    return Lark(
        text(),
        parser="lalr",
        lexer="contextual",
        postlex=WholeWords(),  # type: ignore[arg-type]
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=transformer,  # type: ignore[arg-type]
    )
