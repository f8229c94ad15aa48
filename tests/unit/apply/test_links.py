"""The plan of links as it is read back."""

from __future__ import annotations

import pytest

from segc.apply.errors import ApplyError
from segc.apply.links import read_plan

WHOLE = '{"version": 1, "node": "gw1", "bridges": [], "devices": []}'
PARTS = ('"version": 1, ', '"node": "gw1", ', '"bridges": [], ', ', "devices": []')


@pytest.mark.parametrize("text", [*(WHOLE.replace(part, "") for part in PARTS), "[]", "", "[" * 100_000,
    WHOLE.replace("1", "2"), WHOLE.replace("[]", "[7]"), WHOLE.replace("[]", '[{"name": "x"}]')])  # fmt: skip
def test_damage_is_told_in_a_sentence(text: str) -> None:
    assert read_plan(WHOLE).node == "gw1"
    with pytest.raises(ApplyError, match=r"^`links\.json` (is damaged|has version 2)"):
        read_plan(text)
