"""The mistakes that people make in a policy, each with its own words and the fix.

A hint is a function that takes a `Problem` and returns `Advice` where the mistake is the one that it knows.
A new one goes to its like, in `blocks`, `characters`, `ends`, `flows` or `words`, or begins a module of its
own, then into `HINTS`, and has an example in `tests/diagnostics/syntax`.
"""

from __future__ import annotations

from segc.syntax.hints.blocks import (
    gateway_of_zone,
    mac_of_host,
    netmask,
    of_interface,
    port_without_quotes,
    setting_with_sign,
    several_published,
    several_zones,
    stray_setting,
)
from segc.syntax.hints.characters import (
    bad_string,
    conflict,
    missing_comma,
    other_comment,
    other_quotes,
    strange_character,
    stray_brace,
)
from segc.syntax.hints.ends import arrow, other_end, other_order, quoted_end
from segc.syntax.hints.flows import (
    all_ports,
    condition,
    hours_alone,
    hours_behind_comma,
    hours_by_halves,
    missing_service,
    other_verb,
    port_alone,
    port_range,
    second_factor,
)
from segc.syntax.hints.problem import Hint
from segc.syntax.hints.words import bad_name, date_and_time, kind_of_source, misspelt, quotes, reserved

# The first that has advice is the one that speaks.
HINTS: tuple[Hint, ...] = (
    conflict,
    bad_string,
    other_quotes,
    strange_character,
    all_ports,
    other_comment,
    arrow,
    netmask,
    several_zones,
    several_published,
    port_without_quotes,
    setting_with_sign,
    port_alone,
    port_range,
    other_verb,
    other_end,
    quoted_end,
    other_order,
    stray_brace,
    stray_setting,
    of_interface,
    gateway_of_zone,
    mac_of_host,
    condition,
    second_factor,
    missing_service,
    reserved,
    hours_alone,
    hours_behind_comma,
    hours_by_halves,
    bad_name,
    kind_of_source,
    misspelt,
    date_and_time,
    quotes,
    missing_comma,
)
