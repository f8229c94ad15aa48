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

import codecs
import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from segc.document import DocumentError, read_json
from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User
from segc.identity.names import person
from segc.identity.settings import Settings
from segc.identity.snapshot import key
from segc.space.words import system_reason

LARGEST = 256 << 20  # bytes
USERS = ("user", "email", "mail", "userprincipalname", "username", "login")
GROUPS = ("groups", "group", "groupname", "memberof")
BARE = ("_id", "id")  # of whatever a row is about
NAMED = ("userid", "username", *USERS)
IDS = (*BARE, *NAMED)
ACTIVE = ("active", "activated", "enabled", "accountenabled")
BARRED = ("suspended", "disabled", "blocked")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
STATES = ("active", "activated", "enabled")

Row = Mapping[str, Any]  # by column in lower case


class Table(NamedTuple):
    """`nested` are groups with their members, where a file lists them apart."""

    name: str
    columns: Collection[str]
    rows: list[Row]
    nested: Mapping[str, list[str]]


def source(settings: Settings) -> str:
    return settings.options["file"]


def read(asked: Asked) -> Listing:
    settings = asked.settings
    table = _table(settings.path("file") or Path(), settings.options["file"])
    user = _column(settings.options.get("user"), USERS, table)
    listed = [row for row in table.rows if _text(row.get(user))]
    known = _known([row for row in listed if _may_work(row)], user)
    first = (*_held(table, user, settings.options.get("group")), *table.nested.items())
    names = {*_known(listed, user), *(key(name) for name, _ in first)}
    held: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for name, members in (*first, *_members(settings, names)):
        held[name] |= dict.fromkeys(members)
    return Listing(tuple(User(name, name) for name in dict.fromkeys(known.values())), _groups(held, known))


def _known(people: Sequence[Row], user: str) -> dict[str, str]:
    """Who is meant by what. Names have no case; numbers of a directory's own may have."""
    found = {_text(row[each]): _text(row[user]) for row in people for each in IDS if _text(row.get(each))}
    for column in (*USERS, "username", user):
        found |= {person(_text(row[column])): _text(row[user]) for row in people if _text(row.get(column))}
    return found


def _held(table: Table, user: str, asked: str | None) -> Iterator[tuple[str, list[str]]]:
    """Groups of each row; of an account that is shut they are nobody's, whoever else has its name."""
    group = _column(asked, GROUPS, table, needed=False)
    for number, row in enumerate(table.rows, 1):
        where = f"`{table.name}`, record {number}"
        if isinstance(row.get(user), list | dict):
            raise DirectoryError(f"{where}: `{user}` is no text")
        members = [_text(row.get(user))] if _may_work(row) else []
        for name in _names(row.get(group), f"{where}: `{group}`") if group else ():
            yield name, members


def _groups(held: Mapping[str, Iterable[str]], known: Mapping[str, str]) -> tuple[Group, ...]:
    """A group by whatever case its name has, each under the first of its spellings."""
    spelled = {key(name): name for name in sorted(held, reverse=True)}
    found: dict[str, dict[str, None]] = {name: {} for name in spelled.values()}
    for name, members in held.items():
        found[spelled[key(name)]] |= dict.fromkeys(_member(each, known, spelled) for each in members)
    return tuple(Group(f"group {name}", name, tuple(members)) for name, members in found.items())


def _member(name: str, known: Mapping[str, str], groups: Mapping[str, str]) -> str:
    return known.get(name) or known.get(person(name)) or f"group {groups.get(key(name), name)}"


def _members(settings: Settings, known: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Of the second file: each row a group and a user, by any name that the first file has for him. A bare
    `id` is taken for his where nothing but the group stands beside it: else it may be the group's own."""
    path = settings.path("members")
    if path is None:
        return
    table = _table(path, path.name)
    group = _column(settings.options.get("group"), GROUPS, table)
    user = _column(None, NAMED if len(table.columns) > 2 else (*NAMED, *BARE), table)
    said = {_text(row.get(user)) for row in table.rows} - {""}
    if said and not any({each, person(each), key(each)} & known for each in said):
        raise DirectoryError(f"`{table.name}`: no `{user}` is one of `{settings.options['file']}`")
    for row in table.rows:
        groups = _names(row.get(group), f"`{path.name}`: `{group}`")
        yield from ((name, [_text(row.get(user))]) for name in groups)


def _table(path: Path, name: str) -> Table:
    text = _content(path)
    return _json(text, name) if path.suffix.lower() == ".json" else _csv(text, name)


def _csv(text: str, name: str) -> Table:
    """Between columns stands the first of `,`, `;` and tabs that the header has, as spreadsheets write it."""
    head = text.lstrip("\r\n").partition("\n")[0]
    between = next((each for each in ",;\t" if each in head), ",")
    found = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=between)
    try:
        header, *lines = [line for line in found if line] or [[]]
    except csv.Error as error:
        raise DirectoryError(f"`{name}`, line {found.line_num}: {error}") from None
    short = next((n for n, line in enumerate(lines, 2) if len(line) != len(header)), None)
    if short is not None:
        raise DirectoryError(f"`{name}`: record {short} has not {len(header)} columns: was it cut off?")
    columns = [each.strip().lower() for each in header]
    twice = next((each for each in columns if each and columns.count(each) > 1), None)
    if twice is not None:
        raise DirectoryError(f"`{name}` has two columns `{twice}`: which one counts?")
    return Table(name, columns, [dict(zip(columns, line, strict=True)) for line in lines], {})


def _json(text: str, name: str) -> Table:
    try:
        found = read_json(text)
    except DocumentError as error:
        torn = ": was it cut off?" if error.at is not None else ""
        raise DirectoryError(f"`{name}` {error.reason}{torn}") from None
    groups = found.get("groups", {}) if isinstance(found, dict) else {}
    if isinstance(found, dict):
        found = next((found[each] for each in ("users", "results", "value") if each in found), None)
    if not isinstance(found, list) or not isinstance(groups, dict):
        raise DirectoryError(f"`{name}` holds no list of users")
    where = f"`{name}`, the members of"
    nested = {each: _names(members, f"{where} `{each}`") for each, members in groups.items()}
    rows = _rows(found, name)
    columns = {column for row in rows for column in row}
    return Table(name, columns if rows else (*USERS, *GROUPS), rows, nested)


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
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")  # PowerShell's two
    except UnicodeDecodeError:
        raise DirectoryError(f"`{path}` is not UTF-8: save it as that") from None


def _column(asked: str | None, usual: Sequence[str], table: Table, needed: bool = True) -> str:
    wanted = (asked.lower(),) if asked else usual
    found = next((each for each in wanted if each in table.columns), "")
    if not found and (needed or asked):
        there = ", ".join(f"`{each}`" for each in sorted(table.columns)) or "none"
        sought = " or ".join(f"`{each}`" for each in wanted)
        raise DirectoryError(f"`{table.name}` has no column {sought}: it has {there}")
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
