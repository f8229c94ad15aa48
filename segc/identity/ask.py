"""Asking directories: all at once, each within its time, and without a word about its secret."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from segc.identity.deadline import Deadline, within
from segc.identity.directories import Asked, read, source_of
from segc.identity.errors import DirectoryError
from segc.identity.listing import Wanted, directory_of
from segc.identity.secret import Secret, find_secret
from segc.identity.settings import Settings
from segc.identity.snapshot import Directory

Answer = Directory | DirectoryError
# What comes of an answer that is of another shape, or holds a number that is none.
ODD = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError, RecursionError)


def ask(
    settings: Sequence[Settings], wanted: Wanted, timeouts: Mapping[str, float], default: float
) -> dict[str, Answer]:
    """What each directory says of what is wanted, or why it could not be read, by its name.

    `timeouts` are seconds by the name of a directory, `default` for those without.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(settings))) as pool:
        found = pool.map(lambda each: _one(each, wanted, timeouts.get(each.name, default)), settings)
        return {each.name: answer for each, answer in zip(settings, found, strict=True)}


def _one(settings: Settings, wanted: Wanted, seconds: float) -> Answer:
    keeper, deadline = _Keeper(settings.name), Deadline(seconds)
    wanted = replace(wanted, patterns=settings.groups)
    try:
        listing = within(deadline, lambda: read(Asked(settings, wanted, keeper, deadline)))
        return directory_of(settings.name, settings.kind, source_of(settings), listing, wanted)
    except DirectoryError as error:
        return DirectoryError(f"`{settings.name}`: {keeper.hidden(str(error))}")
    except ODD:
        return DirectoryError(f"`{settings.name}`: its answer is not one of {settings.kind}")


@dataclass
class _Keeper:
    """Looks the secret up when it is asked for, and knows it from then on."""

    name: str
    found: Secret | None = field(default=None, repr=False)

    def __call__(self) -> Secret:
        self.found = find_secret(self.name, os.environ)
        return self.found

    def hidden(self, text: str) -> str:
        return self.found.hidden_in(text) if self.found else text
