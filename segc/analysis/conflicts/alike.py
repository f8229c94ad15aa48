"""Classes that only the list of an end tells apart, and no statement or zone, such as the two halves of zone
`c` in `c, c.six -> mail`. A host may have addresses of both, so who comes to one of them has come to all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.frozen import frozen


@frozen
class Alike:
    """`classes` by each that has others like it: all of them. `mask` is of all these."""

    classes: Mapping[int, Sequence[int]]
    mask: int

    def with_alike(self, mask: int) -> int:
        """The mask with all classes that are like one in it."""
        for each in bits(mask & self.mask):
            mask |= mask_of(list(self.classes[each]))
        return mask

    def one_in(self, mask: int, index: int) -> int:
        """The class itself if it is in the mask, else one in it that it is like."""
        return index if mask >> index & 1 else next(each for each in self.classes[index] if mask >> each & 1)


def alike(members: Sequence[Sequence[int]], told: Collection[int]) -> Alike:
    """`members` are the expressions of each class, `told` those that statements and zones have."""
    found: dict[tuple[int, ...], list[int]] = {}
    for index, numbers in enumerate(members):
        found.setdefault(tuple(number for number in numbers if number in told), []).append(index)
    classes = {index: same for same in found.values() if len(same) > 1 for index in same}
    return Alike(classes, mask_of(list(classes)))
