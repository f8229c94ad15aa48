"""The kernel's sets of people against what the agent vouches for, or its journal where it is silent."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from segc.apply.errors import ApplyError
from segc.apply.generation import Generation
from segc.apply.state import State
from segc.plan.model import Action
from segc.sessions import clock
from segc.sessions.book import Book
from segc.sessions.client import UnansweredError, ask
from segc.sessions.kernel import ABOUT, Kernel, end_connections
from segc.sessions.resuming import stored_sessions
from segc.sessions.session import Place
from segc.sessions.stray import Stray, book_of
from segc.space.words import system_reason

PATIENCE = 5.0  # seconds for an agent to answer
Vouched = Mapping[Place, float]  # until when, on the boot clock


class People(NamedTuple):
    """`by` is who vouches, `agent` or `journal`; empty where the policy asks for nobody."""

    by: str
    strays: tuple[Stray, ...]


def compare(state: State, generation: Generation, path: Path) -> People:
    """Look at the sets of people in the network namespace that we are in. ApplyError.

    What comes or ends just now is none of it, so what differs is looked at again.
    """
    book = book_of(generation)
    if not book.sets:
        return People("", ())
    try:
        kernel = Kernel()
        by, found = _look(kernel, state, book, path)
        if found:
            time.sleep(ABOUT)
            by, again = _look(kernel, state, book, path)
            found &= again
        kernel.close()
    except OSError as error:
        raise ApplyError(f"the sets of people cannot be read: {system_reason(error)}") from None
    return People(by, tuple(sorted(found, key=Stray.order)))


def refill(state: State, generation: Generation, path: Path, strays: Iterable[Stray]) -> None:
    """Have the sets hold what is vouched for and nothing else: by the agent, or here if it is silent. What
    only a forged element let in ends. ApplyError."""
    book = book_of(generation)
    if not book.sets:
        return
    try:
        if not _answered(path, "reload"):
            kernel, now = Kernel(), clock.now()
            kernel.fill(
                kernel.layout().names().intersection(book.sets), stored_sessions(state, book, now), now.boot
            )
            kernel.close()
        known = {address for _, address in _vouched(state, book, path)[1]}
        forged = {each.place[1] for each in strays if each.action is Action.ADD} - known
    except OSError as error:
        raise ApplyError(f"the sets of people cannot be filled: {system_reason(error)}") from None
    if forged:
        with suppress(OSError):  # where nothing tracks connections, there are none
            end_connections(forged)


# -- what should be there ----------------------------------------------------------------------------------


def _look(kernel: Kernel, state: State, book: Book, path: Path) -> tuple[str, set[Stray]]:
    names = kernel.layout().names().intersection(book.sets)
    boot, held = clock.now().boot, kernel.held(names)  # one moment, however long an agent is waited for
    by, vouched = _vouched(state, book, path)
    return by, set(_strays(names, held, vouched, boot))


def _strays(
    names: Collection[str], held: Mapping[Place, float], vouched: Vouched, boot: float
) -> Iterator[Stray]:
    for place, left in held.items():
        if place not in vouched:
            yield Stray(Action.ADD, place)
        elif boot + left > vouched[place] + ABOUT:
            yield Stray(Action.CHANGE, place)
    for place, until in vouched.items():
        if place[0] in names and until > boot + ABOUT and place not in held:
            yield Stray(Action.REMOVE, place)


def _vouched(state: State, book: Book, path: Path) -> tuple[str, Vouched]:
    """Who vouches, and for what."""
    answer = _answered(path, "elements")
    if answer is None:
        sessions = stored_sessions(state, book, clock.now())
        return "journal", {place: until for each in sessions for place, until in each.elements()}
    return "agent", {
        (name, ip_address(address)): float(until)
        for name, elements in answer["elements"].items()
        for address, until in elements.items()
    }


def _answered(path: Path, do: str) -> dict[str, Any] | None:
    """None where there is no agent that can."""
    with suppress(UnansweredError):
        answer = ask(path, {"do": do}, PATIENCE)
        return answer if answer.get("ok") else None
    return None
