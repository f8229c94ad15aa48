"""The mistakes that people make in a policy, each with its own words and the fix.

A hint is a function that takes a `Problem` and returns `Advice` where the mistake is the one that it knows.
A new one goes to its like, in `characters`, `flows` or `words`, or begins a module of its own, then into
`HINTS`, and has an example in `tests/diagnostics/syntax`.
"""

from __future__ import annotations

from segc.syntax.hints.characters import (
    bad_string,
    missing_comma,
    other_comment,
    other_quotes,
    strange_character,
    stray_brace,
)
from segc.syntax.hints.flows import (
    arrow,
    condition,
    hours_alone,
    hours_by_halves,
    missing_service,
    other_end,
    other_verb,
    port_alone,
    port_range,
)
from segc.syntax.hints.problem import Hint
from segc.syntax.hints.words import bad_name, kind_of_source, misspelt, quotes, reserved

# The first that has advice is the one that speaks.
HINTS: tuple[Hint, ...] = (
    bad_string,
    other_quotes,
    strange_character,
    other_comment,
    arrow,
    port_alone,
    port_range,
    other_verb,
    other_end,
    stray_brace,
    condition,
    missing_service,
    reserved,
    hours_alone,
    hours_by_halves,
    bad_name,
    kind_of_source,
    misspelt,
    quotes,
    missing_comma,
)
