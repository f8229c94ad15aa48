"""A new snapshot from the former one and from what directories say now, and what that takes from whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from segc.identity.snapshot import Directory, DirectoryGroup, Snapshot


def merged(former: Snapshot, read: Iterable[Directory], keep: Iterable[str]) -> Snapshot:
    """Directories that were `read`, and of the former ones those to `keep`."""
    kept = {name: found for name in keep if (found := former.directory(name)) is not None}
    directories = {**kept, **{each.name: each for each in read}}
    return Snapshot(tuple(directories[name] for name in sorted(directories)))


def lessened(former: Snapshot, read: Mapping[str, Directory]) -> Snapshot:
    """The former snapshot without those whom directories do not list any more: what needs no review."""
    return Snapshot(
        tuple(_less(each, read[each.name]) if each.name in read else each for each in former.directories)
    )


def _less(former: Directory, now: Directory) -> Directory:
    groups = tuple(
        DirectoryGroup(each.name, each.id, _still(each.members, now.members(each.name)))
        for each in former.groups
    )
    return replace(former, users=_still(former.users, frozenset(now.users)), groups=groups)


def _still(former: Iterable[str], now: frozenset[str]) -> tuple[str, ...]:
    return tuple(each for each in former if each in now)


def gone(former: Snapshot, now: Snapshot) -> frozenset[str]:
    """Those whom no directory lists any more, of those whom one listed."""
    return former.users - now.users
