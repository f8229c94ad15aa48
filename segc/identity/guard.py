"""What a directory cannot be believed at once: that a group has emptied, or lost most of its people.

A directory that is being restored, a filter with a slip in it or a reader who lost his rights look the same
from here: people are missing. Taking that for the truth locks a firm out, so somebody has to say that it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.identity.snapshot import Directory

FLOOR = 3  # people who may always leave at once


def losses(former: Directory, now: Directory, share: int) -> Iterator[str]:
    """What is not to be believed, in words.

    That the directory lists nobody any more; that a group of two or more is empty, or not there; that more
    than `share` per cent of a group or of all left, and more than three people.
    """
    if former.users and not now.users:
        yield f"`{now.name}` lists nobody any more, and had {len(former.users):,}"
        return
    gone = frozenset(former.users) - frozenset(now.users)
    if too_many(len(gone), len(former.users), share):
        yield f"`{now.name}` lost {len(gone):,} of {len(former.users):,} people"
    for group in former.groups:
        still = now.members(group.name)
        was, left = len(group.members), frozenset(group.members) - still
        there = "is empty" if now.group(group.name) else "is not there"
        if was > 1 and not still:
            yield f"the group `{group.name}` of `{now.name}` {there}, and had {was:,}"
        elif too_many(len(left), was, share):
            yield f"the group `{group.name}` of `{now.name}` lost {len(left):,} of {was:,}"


def too_many(left: int, of: int, share: int) -> bool:
    return left > max(FLOOR, of * share / 100)
