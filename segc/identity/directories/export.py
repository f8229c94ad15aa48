"""Files that a directory exported: CSV (RFC 4180) or JSON, JumpCloud's among them.

    file     the users: one a row, with the groups in a column (separated by `;`), or one row for each group
    members  another file with the members of groups, one a row, where the first has none
    user     the column that names a user, by default the first of USERS that is there
    group    the column that names groups, by default the first of GROUPS that is there

In JSON a table is a list of objects, or an object with that list as `users`, `results` (JumpCloud's API) or
`value`; beside `users`, `groups` may map each group to its members, groups among them. Who is suspended or
not active is left out. For JumpCloud, `Get-JCBackup -Users -UserGroups` writes `file` and `members`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User
from segc.identity.settings import Settings
from segc.space.words import system_reason

LARGEST = 256 << 20  # bytes
USERS = ("user", "email", "mail", "userprincipalname", "username", "login")
GROUPS = ("groups", "group", "groupname", "memberof")
IDS = ("_id", "id", "userid", "username", *USERS)
ACTIVE = ("active", "activated", "enabled", "accountenabled")
BARRED = ("suspended", "disabled", "blocked")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
STATES = ("active", "activated", "enabled")

Row = Mapping[str, Any]  # by column in lower case


def source(settings: Settings) -> str:
    return settings.options["file"]


def read(asked: Asked) -> Listing:
    settings = asked.settings
    rows, nested = _table(settings.path("file") or Path())
    user = _column(settings.options.get("user"), USERS, rows, settings.options["file"])
    people = [row for row in rows if _text(row.get(user)) and _may_work(row)]
    known = {_text(row[each]): _text(row[user]) for row in people for each in IDS if _text(row.get(each))}
    known |= {_text(row[user]): _text(row[user]) for row in people}
    held: defaultdict[str, dict[str, None]] = defaultdict(dict)
    group = _column(settings.options.get("group"), GROUPS, rows, settings.options["file"], needed=False)
    for number, row in enumerate(rows, 1):
        where = f"`{settings.options['file']}`, record {number}"
        if isinstance(row.get(user), list | dict):
            raise DirectoryError(f"{where}: `{user}` is no text")
        for name in _names(row.get(group), f"{where}: `{group}`") if group else ():
            held[name][_text(row.get(user))] = None
    for name, members in (*nested.items(), *_members(settings)):
        held[name] |= dict.fromkeys(members)
    groups = [
        Group(f"group {name}", name, tuple(known.get(each, f"group {each}") for each in members))
        for name, members in held.items()
    ]
    return Listing(tuple(User(name, name) for name in dict.fromkeys(known.values())), tuple(groups))


def _members(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """Of the second file: each row a group and a user, by any name that the first file has for him."""
    path = settings.path("members")
    if path is None:
        return
    rows, _ = _table(path)
    group = _column(settings.options.get("group"), GROUPS, rows, path.name)
    user = _column(None, IDS, rows, path.name)
    for row in rows:
        names = _names(row.get(group), f"`{path.name}`: `{group}`")
        yield from ((name, [_text(row.get(user))]) for name in names)


def _table(path: Path) -> tuple[list[Row], Mapping[str, list[str]]]:
    """The rows of a file, and groups with their members where it lists them apart."""
    text = _content(path)
    if path.suffix.lower() == ".json":
        return _json(text, path.name)
    found = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header, *lines = [line for line in found if line] or [[]]
    except csv.Error as error:
        raise DirectoryError(f"`{path.name}`, line {found.line_num}: {error}") from None
    short = next((n for n, line in enumerate(lines, 2) if len(line) != len(header)), None)
    if short is not None:
        raise DirectoryError(f"`{path.name}`: record {short} has not {len(header)} columns: was it cut off?")
    names = [each.strip().lower() for each in header]
    return [dict(zip(names, line, strict=True)) for line in lines], {}


def _json(text: str, name: str) -> tuple[list[Row], Mapping[str, list[str]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise DirectoryError(f"`{name}` is no JSON: was it cut off?") from None
    groups = found.get("groups", {}) if isinstance(found, dict) else {}
    if isinstance(found, dict):
        found = next((found[each] for each in ("users", "results", "value") if each in found), None)
    if not isinstance(found, list) or not isinstance(groups, dict):
        raise DirectoryError(f"`{name}` holds no list of users")
    where = f"`{name}`, the members of"
    nested = {each: _names(members, f"{where} `{each}`") for each, members in groups.items()}
    return _rows(found, name), nested


def _rows(found: list[Any], name: str) -> list[Row]:
    """Objects, or names alone; not both, as names have a column of their own."""
    kind, words = (str, "a name") if isinstance(next(iter(found), {}), str) else (dict, "an object")
    other = next((n for n, each in enumerate(found, 1) if not isinstance(each, kind)), None)
    if other is not None:
        raise DirectoryError(f"`{name}`, record {other} is not {words}, as the others are")
    if kind is str:
        return [{"user": each} for each in found]
    return [{key.lower(): value for key, value in row.items()} for row in found]


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = system_reason(error)
        raise DirectoryError(f"`{path}` cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise DirectoryError(f"`{path}` is larger than {LARGEST >> 20} MiB")
    for encoding in ("utf-8-sig", "utf-16"):  # PowerShell's two
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DirectoryError(f"`{path}` is not UTF-8")


def _column(
    asked: str | None, usual: Sequence[str], rows: Iterable[Row], name: str, needed: bool = True
) -> str:
    there = {column for row in rows for column in row}
    wanted = (asked.lower(),) if asked else usual
    found = next((each for each in wanted if each in there), "")
    if not found and (needed or asked):
        raise DirectoryError(f"`{name}` has no column {' or '.join(f'`{each}`' for each in wanted)}")
    return found


def _may_work(row: Row) -> bool:
    """Whether nothing says otherwise."""
    words = {name: _text(value).lower() for name, value in row.items()}
    if any(words.get(each, "") in NO for each in ACTIVE) or any(
        words.get(each, "") in YES for each in BARRED
    ):
        return False
    return all(words.get(each, "") in ("", *STATES) for each in ("state", "status"))


def _names(value: Any, where: str) -> list[str]:
    """Of `a;b`, `["a", "b"]` or `[{"name": "a"}]`. DirectoryError else: who is passed over loses access."""
    found = value if isinstance(value, list) else _text(value).split(";")
    names = [each.get("name", each) if isinstance(each, dict) else each for each in found]
    if isinstance(value, dict) or any(isinstance(each, list | dict) for each in names):
        raise DirectoryError(f"{where} are no list of names")
    return [each for each in map(_text, names) if each]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
