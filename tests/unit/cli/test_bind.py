"""What `segc bind` takes."""

from __future__ import annotations

import click
import pytest

from segc.cli.bind import Lifetime, fact


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("30m", 1800), ("1h30m", 5400), ("7d", 604_800)])
def test_times_are_written_as_in_a_policy(text: str, seconds: int) -> None:
    assert Lifetime().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1.5h", "1h30", "h", "400d", "soon", "9" * 30])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time of up to a year"):
        Lifetime().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("x=true", True), ("x=True", "True"), ("x=14", 14), ('x="14"', "14"), ("x=14.5", "14.5")],
)
def test_facts_have_types(text: str, value: object) -> None:
    assert fact(text) == ("x", value)
