"""Who is in which group of which directory, as `identities.lock.json` beside a policy keeps it.

    {"format": 1,
     "directories": {
       "corp": {"kind": "ldap", "source": "ldaps://dc1.acme.example/dc=acme,dc=example",
                "users": ["ana@acme.example", "bo@acme.example"],
                "groups": {"sg-finance": {"id": "cn=sg-finance,…", "members": ["ana@acme.example"]}}}}}

Members are people: groups nested in the directory are expanded. Everything is sorted and each person is on a
line of his own, so that Git shows who came and who left; nothing in it tells when it was read, so reading the
same again changes no byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from segc.diagnostics.model import Diagnostic, finding
from segc.document import DocumentError, Pairs, read_json, scalar, twice
from segc.frozen import frozen
from segc.identity.names import person
from segc.identity.position import Step, locate
from segc.source import SourceFile, Span

FILE = "identities.lock.json"
FORMAT = 1
AGAIN = "write it anew with `segc identity sync`; where Git left conflict marks in it, take either side first"


@frozen
class DirectoryGroup:
    """`id` is what the directory itself calls it: a DN, a number; `members` are users, nested ones too."""

    name: str
    id: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Directory:
    """What was read of one directory, sorted. `users` are those of all groups and those a policy names."""

    name: str
    kind: str
    source: str
    users: tuple[str, ...]
    groups: tuple[DirectoryGroup, ...]

    @cached_property
    def by_key(self) -> dict[str, DirectoryGroup]:
        return {key(each.name): each for each in self.groups}

    def group(self, name: str) -> DirectoryGroup | None:
        return self.by_key.get(key(name))

    def members(self, name: str) -> frozenset[str]:
        """Nobody where there is no such group."""
        found = self.group(name)
        return frozenset(found.members) if found else frozenset()


@dataclass(frozen=True)
class Snapshot:
    """All directories of a policy. It is a statement of the policy like any other."""

    directories: tuple[Directory, ...] = ()
    span: Span = field(default=Span("", 0, 0, 1), compare=False, repr=False)

    def directory(self, name: str) -> Directory | None:
        return next((each for each in self.directories if each.name == name), None)

    def groups(self, name: str) -> tuple[DirectoryGroup, ...]:
        """Those called so; several where directories share a name that does not say which, `corp/admins`."""
        return self._named.get(key(name), ())

    @cached_property
    def users(self) -> frozenset[str]:
        return frozenset(user for each in self.directories for user in each.users)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({group.name for each in self.directories for group in each.groups}))

    @cached_property
    def _named(self) -> dict[str, tuple[DirectoryGroup, ...]]:
        found: dict[str, tuple[DirectoryGroup, ...]] = {}
        for each in self.directories:
            for group in each.groups:
                for name in (group.name, f"{each.name}/{group.name}"):
                    found[key(name)] = (*found.get(key(name), ()), group)
        return found


def key(name: str) -> str:
    """What names of directories are compared by: all of them hold `Sales` and `sales` to be one."""
    return name.casefold()


# -- writing ---------------------------------------------------------------------------------------------


def snapshot_text(snapshot: Snapshot) -> str:
    """The bytes depend on who is where and on nothing else."""
    directories = {each.name: _plain(each) for each in _sorted(snapshot.directories)}
    content = {"format": FORMAT, "directories": directories}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _plain(directory: Directory) -> dict[str, Any]:
    groups = {g.name: {"id": g.id, "members": sorted(set(g.members))} for g in _sorted(directory.groups)}
    users = sorted(set(directory.users))
    return {"kind": directory.kind, "source": directory.source, "users": users, "groups": groups}


def _sorted(named: Iterable[Any]) -> list[Any]:
    return sorted(named, key=lambda each: each.name)


# -- reading ---------------------------------------------------------------------------------------------


class _WrongError(Exception):
    """What is wrong, and the keys and indices that lead to it."""

    def __init__(self, message: str, path: tuple[Step, ...]) -> None:
        super().__init__(message)
        self.message, self.path = message, path


def read_snapshot(source: SourceFile) -> tuple[Snapshot | None, tuple[Diagnostic, ...]]:
    """The snapshot in a text, or the first thing that is wrong with it (SEG112)."""
    whole = source.span(0, len(source.text))
    try:
        content = read_json(source.text, _marked)
        return Snapshot(tuple(_directories(content)), whole), ()
    except DocumentError as error:
        span = whole if error.at is None else _line_from(source, error.at)
        message = f"`{source.path}` {error.reason}"
    except _WrongError as error:
        span = source.span(*locate(source.text, error.path))
        message = f"`{source.path}` is damaged: {error.message}"
    return None, (finding("SEG112", message, span, f"line {span.line}", help=AGAIN),)


def _line_from(source: SourceFile, start: int) -> Span:
    end = source.text.find("\n", start)
    return source.span(start, max(end, start + 1) if end > 0 else len(source.text))


def _marked(pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        return {TWICE: twice(pairs), **found}
    return found


TWICE = "\0"  # marks an object that has one key twice; no key of a snapshot is called so


def _directories(content: Any) -> Iterator[Directory]:
    top = _object(content, ("format", "directories"), ())
    if top["format"] is True or top["format"] != FORMAT:
        words = f"its format is `{scalar(top['format'])}`, and this segc reads {FORMAT}"
        raise _WrongError(words, ("format",))
    for name, value in _object(top["directories"], None, ("directories",)).items():
        yield _directory(name, value, ("directories", name))


def _directory(name: str, value: Any, path: tuple[Step, ...]) -> Directory:
    found = _object(value, ("kind", "source", "users", "groups"), path)
    kind, source = (_text(found[each], (*path, each)) for each in ("kind", "source"))
    users = _names(found["users"], (*path, "users"))
    known = frozenset(users)
    groups = _object(found["groups"], None, (*path, "groups"))
    read = (_group(each, groups[each], known, (*path, "groups", each)) for each in groups)
    return Directory(name, kind, source, users, tuple(_sorted(read)))


def _group(name: str, value: Any, users: frozenset[str], path: tuple[Step, ...]) -> DirectoryGroup:
    found = _object(value, ("id", "members"), path)
    members = _names(found["members"], (*path, "members"))
    if not users.issuperset(members):
        at = next(n for n, each in enumerate(found["members"]) if person(each) not in users)
        stranger = found["members"][at]
        raise _WrongError(f"`{stranger}` is not among the users of the directory", (*path, "members", at))
    return DirectoryGroup(name, _text(found["id"], (*path, "id")), members)


def _object(value: Any, keys: tuple[str, ...] | None, path: tuple[Step, ...]) -> dict[str, Any]:
    """An object with just these keys, or with any."""
    if not isinstance(value, dict):
        raise _WrongError("an object is expected here", path)
    if TWICE in value:
        raise _WrongError(f"`{value[TWICE]}` is given twice", (*path, value[TWICE]))
    for each in keys or ():
        if each not in value:
            raise _WrongError(f"`{each}` is missing", path)
    for each in value if keys else ():
        if keys and each not in keys:
            raise _WrongError(f"`{each}` is unknown", (*path, each))
    return value


def _names(value: Any, path: tuple[Step, ...]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _WrongError("a list of users is expected here", path)
    for number, each in enumerate(value):
        _text(each, (*path, number))
    return tuple(sorted(set(map(person, value))))


def _text(value: Any, path: tuple[Step, ...]) -> str:
    if not isinstance(value, str) or not value:
        raise _WrongError("a text is expected here", path)
    return value
