"""Numbers in binary decision diagrams: each field is a row of variables, its bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Fields:
    """`widths` are the fields' lengths in bits, the highest bit first in each."""

    def __init__(self, bdd: Any, widths: Mapping[str, int]) -> None:
        self.bdd = bdd
        self.names = {field: [f"{field}{n}" for n in range(width)] for field, width in widths.items()}
        for names in self.names.values():
            bdd.declare(*names)

    def between(self, field: str, first: int, last: int) -> Any:
        """The values first..last of a field, bit by bit from the lowest."""
        low = high = self.bdd.true
        for n, name in enumerate(reversed(self.names[field])):
            bit = self.bdd.var(name)
            low = low & bit if first >> n & 1 else low | bit
            high = ~bit | high if last >> n & 1 else ~bit & high
        return low & high

    def any_of(self, diagrams: Iterable[Any]) -> Any:
        found = self.bdd.false
        for each in diagrams:
            found = found | each
        return found
