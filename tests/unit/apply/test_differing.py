"""Where blocks of a ruleset end is found faster than by searching for it, and as if by searching."""

from __future__ import annotations

from pathlib import Path

import pytest

from segc.apply.differing import LAST, _counters_end, _first_end, _last_end

GOLDEN = Path(__file__).parents[2] / "golden"
RULESETS = sorted(GOLDEN.rglob("ruleset.nft"))


@pytest.mark.parametrize("path", RULESETS, ids=lambda path: "-".join(path.relative_to(GOLDEN).parts[:-1]))
def test_ends_are_found_as_by_searching(path: Path) -> None:
    text = path.read_text()
    start = text.index("table inet segc {\n", text.index("delete table")) + len("table inet segc {\n")
    counters = text.index(LAST, start) if text.startswith("\tcounter", start) else start
    for limit in (len(text), len(text) - len(LAST), (start + len(text)) // 2):
        for at in range(start, limit, 97):
            found = text.find(LAST, at, limit)
            assert _first_end(text, at, limit) == found
            assert at > counters or _counters_end(text, at, limit) == found
            assert _last_end(text, start, at) == text.rfind(LAST, start, at)


@pytest.mark.parametrize(
    "text", ["", "}", LAST, LAST[1:], LAST[:-1], LAST * 2, f"x{LAST}}}y{LAST}", "=" + LAST]
)
def test_odd_texts(text: str) -> None:
    for start in range(len(text) + 1):
        for limit in range(start, len(text) + 1):
            assert _first_end(text, start, limit) == text.find(LAST, start, limit)
            assert _last_end(text, start, limit) == text.rfind(LAST, start, limit)


COUNTERS = "\tcounter flow_a {\n\t}\n\tlimit flow_a {\n\t\trate 5/second\n\t}\n\n"
EMPTY_SET = "\tset who4 {\n\t\ttype ipv4_addr\n\t}\n\n"
FULL_SET = "\tset own4 {\n\t\telements = {\n\t\t\t10.0.0.1\n\t\t}\n\t}\n\n"


@pytest.mark.parametrize("rest", ["", EMPTY_SET, FULL_SET, EMPTY_SET * 2 + FULL_SET, FULL_SET + EMPTY_SET])
def test_the_end_of_the_counters(rest: str) -> None:
    text = COUNTERS + rest
    for start in range(text.index(LAST) + 1):
        for limit in range(start, len(text) + 1):
            assert _counters_end(text, start, limit) == text.find(LAST, start, limit)
