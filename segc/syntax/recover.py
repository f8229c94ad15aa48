"""Where to read on after a syntax error: panic mode over Lark's own stacks.

The stacks are cut back to the innermost open block, or to the whole file, and the lexer is moved to the
next line that starts with a word which can stand there. So one error costs one statement or one item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lark import Token
from lark.parsers.lalr_analysis import Shift

from segc.syntax.build.blocks import Items

STATEMENTS = frozenset(
    {
        *("import", "timezone", "service", "zone", "set", "group", "posture", "session", "limits"),
        *("source", "directory", "revoke"),
        *("allow", "deny", "staged", "never", "workflow", "test", "gateway", "switch"),
    }
)
_AMBIGUOUS = frozenset({"group", "gateway", "posture"})  # they begin terms and requirements as well
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*+")
_OPENING = re.compile(r"\s+[A-Za-z_][A-Za-z0-9_-]*\s*(?:\{|from\b)")
_LANDMARK = re.compile(
    r"""(?mx)
    ^[ \t;\r]* (?P<word> [A-Za-z_][A-Za-z0-9_-]*+ )   # the first word of a line
    | (?P<brace> [{}] )
    | \#.* | "[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?          # no landmarks inside these
    """
)


def _accepts(table: Any, states: list[Any], terminal: str) -> bool:
    """Whether the parser would in the end shift `terminal`, after the reductions that it first calls for."""
    stack = list(states)
    while terminal in table[stack[-1]]:
        action, rule = table[stack[-1]][terminal]
        if action is Shift:
            return True
        if rule.expansion:
            del stack[-len(rule.expansion) :]
        goto = table[stack[-1]].get(rule.origin.name)
        if goto is None:
            return terminal == "$END"
        stack.append(goto[1])
    return False


def expected(state: Any, height: int | None = None) -> frozenset[str]:
    """The terminals that may come next; with `height`, if only that many values were on the stack."""
    stack = state.state_stack if height is None else state.state_stack[: height + 1]
    table = state.parse_conf.states
    return frozenset(name for name in table[stack[-1]] if name.isupper() and _accepts(table, stack, name))


def open_braces(state: Any) -> list[int]:
    """The places on the value stack of the braces that are open, outermost first."""
    places: list[int] = []
    for place, value in enumerate(state.value_stack):
        if isinstance(value, Token) and value.type == "LBRACE":
            places.append(place)
        elif isinstance(value, Token) and value.type == "RBRACE":
            places.pop()
    return places


def error_start(state: Any, text: str, at: int) -> int:
    """Where an error at offset `at` really is.

    A statement behind an unclosed block may have been taken for an item, as far as that goes: then where
    that line begins, and the stacks are cut back to the block.
    """
    line = text.rfind("\n", 0, at) + 1
    word = _WORD.match(text, line)
    braces = open_braces(state)
    if (
        not braces
        or word is None
        or word[0] not in STATEMENTS
        or state.value_stack[braces[-1]].start_pos > line
    ):
        return at
    height = _grown(state.value_stack, braces[-1] + 1)
    if _keyword(word[0]) in expected(state, height) and not _opens_block(text, line, word[0]):
        return at
    _keep(state, height)
    return line


def resume(state: Any, text: str, at: int) -> int:
    """Cut the stacks of `state` for an error at offset `at`; returns the offset to read on from."""
    braces = open_braces(state)
    _settle(state, "RBRACE" if braces else "IMPORT")
    height = braces[-1] + 1 if braces else 0
    indent = _indent(text, _failed(state, height, at))
    _cut(state, height)
    inside = expected(state) if braces else frozenset()
    for offset, landmark, depth in _landmarks(text, at):
        if landmark == "}":
            if depth == 0 and braces:
                return offset
            continue
        column_0 = text[offset - 1 : offset] in ("", "\n")
        if (
            depth == 0
            and _keyword(landmark) in inside
            and not (column_0 and _opens_block(text, offset, landmark))
        ):
            return offset
        aligned = depth == 0 and offset > at and indent is not None and _indent(text, offset) == indent
        if aligned and not column_0:
            return offset  # no keyword, but where one should be: it will be the next error
        if _starts_statement(text, offset, landmark, column_0) and (depth == 0 or column_0):
            _cut(state, 0)
            return offset
        if aligned:
            return offset
    _cut(state, 0)
    return len(text)


def _settle(state: Any, follower: str) -> None:
    """Finish the statement or item before the error, if it is whole: `follower` may stand behind any."""
    if follower not in expected(state):
        return
    conf = state.parse_conf
    while (step := conf.states[state.state_stack[-1]][follower])[0] is not Shift:
        rule = step[1]
        size = len(rule.expansion)
        children = state.value_stack[-size:] if size else []
        _keep(state, len(state.value_stack) - size)
        state.value_stack.append(conf.callbacks[rule](children))
        state.state_stack.append(conf.states[state.state_stack[-1]][rule.origin.name][1])


def _failed(state: Any, height: int, at: int) -> int:
    """The offset at which the statement or item that has the error begins."""
    values = state.value_stack
    height = _grown(values, height)
    first: Any = values[height] if len(values) > height else None
    while isinstance(first, tuple | list) and first:
        first = first[0]
    if isinstance(first, Token):
        return first.start_pos or 0
    return int(first.span.start) if hasattr(first, "span") else at


def _indent(text: str, offset: int) -> str | None:
    """What stands before `offset` on its line, if that is nothing but space."""
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    return None if before.strip(" \t;\r") else before


def _grown(values: list[Any], height: int) -> int:
    """`height`, and one more where the list of items or statements that grows there has begun."""
    return height + (len(values) > height and type(values[height]) is (Items if height else list))


def _cut(state: Any, height: int) -> None:
    """Keep `height` values, and the list that grows on top of them."""
    _keep(state, _grown(state.value_stack, height))


def _keep(state: Any, height: int) -> None:
    del state.value_stack[height:]
    del state.state_stack[height + 1 :]


def _landmarks(text: str, at: int) -> Iterator[tuple[int, str, int]]:
    """First words of lines and closing braces from `at` on, each with how many braces were opened since."""
    start = text.rfind("\n", 0, at) + 1
    depth = 0
    for match in _LANDMARK.finditer(text, at if text[start:at].strip(" \t;\r") else start):
        if match["word"]:
            yield match.start("word"), match["word"], depth
        elif match["brace"] == "{":
            depth += 1
        elif match["brace"] == "}":
            yield match.start(), "}", depth
            depth = max(0, depth - 1)


def _keyword(word: str) -> str:
    return "ADDRESS_KEY" if word == "address" else word.upper() if word.islower() else ""


def _starts_statement(text: str, offset: int, word: str, column_0: bool) -> bool:
    if word not in STATEMENTS:
        return False
    return column_0 or word not in _AMBIGUOUS or _OPENING.match(text, offset + len(word)) is not None


def _opens_block(text: str, offset: int, word: str) -> bool:
    """`zone finance {` and its like, which no item of a block looks like."""
    return word in STATEMENTS and _OPENING.match(text, offset + len(word)) is not None
