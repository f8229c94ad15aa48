"""What a directory says, as it says it, and what a snapshot keeps of that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from segc.frozen import frozen
from segc.identity.errors import DirectoryError
from segc.identity.names import person, readable
from segc.identity.snapshot import Directory, DirectoryGroup, key

DEPTH = 64  # groups nested in one another


@frozen
class User:
    """Somebody who may work, by the directory's own `id` and by the name that a session gives."""

    id: str
    name: str


@frozen
class Group:
    """`members` are ids of users and of groups; what is neither is passed over."""

    id: str
    name: str
    members: tuple[str, ...]


@frozen
class Listing:
    """All of a directory that may matter, in any order."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Wanted:
    """What a policy asks of its directories: `groups` by name, by `directory/name` or by id, and `users`
    as `names.person` has them; `patterns` of groups to keep besides. `known` are groups that were reviewed,
    by directory and id: of two with one name, it is these that are meant."""

    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    known: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(map(key, self.groups))

    def name_of(self, directory: str, name: str, id: str) -> str | None:
        """What a snapshot calls a group that is asked for; None where it is not."""
        if key(name) in self._asked or key(f"{directory}/{name}") in self._asked:
            return name
        if key(id) in self._asked:
            return id
        return name if any(fnmatchcase(key(name), key(each)) for each in self.patterns) else None


def chosen(directory: str, groups: Iterable[Group], wanted: Wanted) -> dict[str, Group]:
    """The groups to keep, by name. DirectoryError where two have one name: one may be a forgery."""
    found: dict[str, Group] = {}
    firsts: dict[str, Group] = {}  # by key
    known = {id for each, id in wanted.known if each == directory}
    for group in sorted(groups, key=lambda each: each.id not in known):
        name = wanted.name_of(directory, group.name, group.id)
        if name is None or not readable(name):
            continue
        first = firsts.setdefault(key(name), group)
        if first.id != group.id and first.id in known and group.id not in known:
            continue
        if first.id != group.id:
            ids = " and ".join(f"`{each}`" for each in sorted((first.id, group.id)))
            raise DirectoryError(f"two groups are called `{name}`: name one by its id in the policy, {ids}")
        found[name] = group
    return found


def directory_of(name: str, kind: str, source: str, listing: Listing, wanted: Wanted) -> Directory:
    """A listing narrowed to what is wanted, with the members of nested groups. DirectoryError."""
    users = {user.id: person(user.name) for user in listing.users if readable(user.name)}
    groups = {group.id: group for group in listing.groups}
    kept = {
        label: DirectoryGroup(label, group.id, tuple(sorted(members(group, groups, users))))
        for label, group in chosen(name, listing.groups, wanted).items()
    }
    known = set(users.values()) & wanted.users
    everybody = known.union(*(group.members for group in kept.values()))
    return Directory(
        name, kind, source, tuple(sorted(everybody)), tuple(kept[label] for label in sorted(kept))
    )


def narrowed(former: Directory, wanted: Wanted) -> Directory:
    """What a snapshot had of what is wanted now: a group that a policy does not name any more is no loss."""
    groups = tuple(
        each for each in former.groups if wanted.name_of(former.name, each.name, each.id) is not None
    )
    everybody = wanted.users.intersection(former.users).union(*(each.members for each in groups))
    return Directory(former.name, former.kind, former.source, tuple(sorted(everybody)), groups)


def members(group: Group, groups: Mapping[str, Group], users: Mapping[str, str]) -> frozenset[str]:
    """The names of all who are in a group, or in one that is in it. Groups that contain each other have the
    same members. DirectoryError where they nest deeper than anybody means them to."""
    seen, level = {group.id}, [group]
    found: set[str] = set()
    for _ in range(DEPTH):
        found.update(users[each] for one in level for each in one.members if each in users)
        inner = {each for one in level for each in one.members if each in groups} - seen
        if not inner:
            return frozenset(found)
        seen |= inner
        level = [groups[each] for each in inner]
    raise DirectoryError(f"groups within `{group.name}` nest deeper than {DEPTH}")


# -- differences -----------------------------------------------------------------------------------------


@frozen
class Move:
    """Who came to a directory group, and who is gone from it; the users of a directory where it is empty."""

    directory: str
    group: str
    came: tuple[str, ...]
    gone: tuple[str, ...]


def moves(former: Directory | None, now: Directory) -> Iterator[Move]:
    """What differs, group by group; people who are gone from the directory altogether come first."""
    was = former or Directory(now.name, now.kind, now.source, (), ())
    if set(was.users) != set(now.users):
        yield _move(now.name, "", was.users, now.users)
    for each in sorted(was.by_key.keys() | now.by_key.keys()):
        old, new = was.members(each), now.members(each)
        found = now.group(each) or was.group(each)
        if found and (old != new or was.group(each) is None or now.group(each) is None):
            yield _move(now.name, found.name, old, new)


def _move(directory: str, group: str, old: Collection[str], new: Collection[str]) -> Move:
    return Move(directory, group, tuple(sorted({*new} - {*old})), tuple(sorted({*old} - {*new})))
