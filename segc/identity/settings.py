"""Where the directories are and how to ask them: `identity.toml` beside the policy, a table for each.

    [corp]
    kind = "ldap"
    url = "ldaps://dc1.acme.example"
    base = "dc=acme,dc=example"
    bind = "cn=segc,ou=services,dc=acme,dc=example"

What kinds there are and what each takes is said by `segc.identity.directories`. Secrets have no place in it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segc.diagnostics.suggest import did_you_mean
from segc.frozen import frozen
from segc.identity.errors import DirectoryError
from segc.space.words import system_reason

FILE = "identity.toml"
SHARE = 50  # per cent of a group that may leave at once
EVERYWHERE = ("kind", "groups", "shrink")
_SECRETS = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@frozen
class Settings:
    """One table. `options` are those of its kind; `groups` are patterns of groups to keep beside those that
    the policy draws on, and `shrink` how many per cent of a group may leave at once."""

    name: str
    kind: str
    options: Mapping[str, str]
    folder: Path  # that relative paths start from
    groups: tuple[str, ...] = ()
    shrink: int = SHARE

    def path(self, option: str) -> Path | None:
        return self.folder / self.options[option] if option in self.options else None


@frozen
class Keys:
    """What a kind of directory takes."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def read_settings(path: Path, kinds: Mapping[str, Keys]) -> tuple[Settings, ...]:
    """The tables of a file, sorted by name. DirectoryError where it cannot be read or makes no sense."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        why = "it says where the directories are, which only groups `from directory` need"
        raise DirectoryError(f"there is no `{path}`: {why}") from None
    except OSError as error:
        reason = system_reason(error)
        raise DirectoryError(f"`{path}` cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise DirectoryError(f"`{path}` is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        raise DirectoryError(f"`{path}` is no TOML: {words[:1].lower()}{words[1:]}") from None
    except (ValueError, RecursionError):  # of int() and of the parser, which check neither
        raise DirectoryError(f"`{path}` nests too deeply, or holds a number of thousands of digits") from None
    if not tables:
        raise DirectoryError(f"`{path}` names no directory: give each a table, such as `[corp]`")
    return tuple(_settings(path, name, tables[name], kinds) for name in sorted(tables))


def _settings(path: Path, name: str, table: Any, kinds: Mapping[str, Keys]) -> Settings:
    where = f"`{path}`, `[{name}]`"
    if not isinstance(table, dict) or not _NAME.fullmatch(name):
        raise DirectoryError(f"`{path}`: `{name}` is no table of a directory, such as `[corp]`")
    kind = str(table.get("kind"))
    if kind not in kinds:
        raise DirectoryError(f"{where}: `kind` must be one of {', '.join(kinds)}")
    keys = kinds[kind]
    known = (*EVERYWHERE, *keys.required, *keys.optional)
    for each in table:
        if each not in known and _SECRETS.search(each):
            raise DirectoryError(f"{where}: `{each}` looks like a secret, which must not stand here")
        if each not in known:
            near = did_you_mean(each, known) or f"it takes {', '.join(known)}"
            raise DirectoryError(f"{where}: `{each}` is unknown: {near}")
    for each in keys.required:
        if each not in table:
            raise DirectoryError(f"{where}: `{each}` is missing")
    options = {key: _text(where, key, table[key]) for key in table if key not in EVERYWHERE}
    groups, shrink = table.get("groups", []), table.get("shrink", SHARE)
    if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        raise DirectoryError(f'{where}: `groups` must be a list of patterns, such as `["sg-*"]`')
    if isinstance(shrink, bool) or not isinstance(shrink, int) or not 0 <= shrink <= 100:
        raise DirectoryError(f"{where}: `shrink` must be a share in per cent, 0 to 100")
    return Settings(name, kind, options, path.parent, tuple(groups), shrink)


def _text(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise DirectoryError(f"{where}: `{key}` must be a text")
    return value
