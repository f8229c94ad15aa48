"""Sessions in the kernel: timed elements of sets of `table inet segc`, and the connections they let in."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import ip_address
from itertools import chain
from math import inf
from typing import NamedTuple

from segc.apply import conntrack
from segc.apply.element import EXPIRATION, KEY
from segc.apply.elements import Add, Delete, Element, Flush, Renew, transact
from segc.apply.host import RefusedByKernelError
from segc.apply.netlink import (
    ACK,
    BUFFER,
    DONE,
    DUMP,
    ERROR,
    NESTED,
    NF_TABLES,
    REQUEST,
    attribute,
    attributes,
    each_attribute,
    message,
    messages,
    open_netlink,
    text,
)
from segc.backends.nftables.cells import LABEL
from segc.sessions.session import Change, Place, Session
from segc.space.addresses import Address

INET = 1
GET_TABLE, GET_SET, GET_ELEMENTS, GET_GENERATION = (NF_TABLES << 8 | each for each in (1, 10, 13, 16))
TABLE_NAME, TABLE_HANDLE, SET_NAME, SET_HANDLE = 1, 4, 2, 16
ELEMENT_LIST, ELEMENT_EXPRESSION, EXPRESSION_DATA, COUNTER_PACKETS = 3, 7, 2, 2
# In comments, as whoever lists sets may read them back.
_UNQUOTED = str.maketrans(dict.fromkeys('"\\{}', "?"))
ABOUT = 2.0  # seconds for which nobody can say whether an element is still there
SLACK = 0.5  # seconds by which an element's time may be off before it is put right

Step = Add | Delete | Renew | Flush
BySet = dict[str, tuple[list[Element], list[Element]]]  # what goes, what comes


class Layout(NamedTuple):
    """Which table and sets the kernel has: another when they were made anew under the same names."""

    table: int
    sets: frozenset[tuple[str, int]]

    def names(self) -> set[str]:
        return {name for name, _ in self.sets}


NO_LAYOUT = Layout(0, frozenset())


class Kernel:
    """One network namespace: that of the thread that makes it. RefusedByKernelError, OSError.

    `made` is told of each transaction by which sessions begin or end.
    """

    def __init__(self, made: Callable[[], None] = lambda: None) -> None:
        self._made = made
        self._netlink = open_netlink()
        self._batches = open_netlink()
        self._own = self.transactions()

    def close(self) -> None:
        self._netlink.close()
        self._batches.close()

    # -- elements ------------------------------------------------------------------------------------

    def change(self, changes: Iterable[Change], boot: float) -> None:
        """Have what the sessions after the changes are worth instead of those before, as one transaction."""
        steps: list[Step] = []
        for name, (gone, come) in _by_set(changes, boot).items():
            steps += [Delete(name, gone, missing_ok=True)] if gone else []
            steps += [Renew(name, come)] if come else []
        if steps:
            self._transact(steps)
            self._made()

    def fill(self, names: Collection[str], sessions: Iterable[Session], boot: float) -> None:
        """Have these sets hold what these sessions are worth and nothing else, as one transaction."""
        come: dict[str, list[Element]] = {name: [] for name in names}
        for session in sessions:
            for (name, address), until in session.elements():
                if until > boot and name in come:
                    come[name].append(_element(session, address, until - boot))
        coming = any(come.values())
        if not coming and not any(True for name in come for _ in self._elements(name)):
            return  # the kernel would find nothing to do, and count nothing
        self._transact(chain.from_iterable((Flush(name), Add(name, each)) for name, each in come.items()))
        if coming:  # else what was there may have ended by itself just now
            self._made()

    def _transact(self, steps: Iterable[Step]) -> None:
        before = self.transactions()
        transact(steps, self._batches)
        if self._own == before:
            self._own = before + 1 & 0xFFFFFFFF  # as long as nobody else commits, we know what there is

    def touched(self) -> bool:
        """Whether somebody else has changed any table since `layout` was asked for."""
        return self.transactions() != self._own

    def transactions(self) -> int:
        """How many nf_tables has seen in this namespace."""
        for body in self._ask(GET_GENERATION, 0, b""):
            if count := attributes(body[4:]).get(1):
                return int.from_bytes(count, "big")
        raise RefusedByKernelError("the kernel does not tell the generation of its tables")

    def layout(self) -> Layout:
        self._own = self.transactions()
        try:
            (table,) = self._ask(GET_TABLE, 0, text(TABLE_NAME, "segc"))
            sets = self._ask(GET_SET, DUMP, text(1, "segc"))
        except FileNotFoundError:
            return NO_LAYOUT
        found = []
        for body in sets:
            parts = attributes(body[4:])
            found.append((_string(parts[SET_NAME]), int.from_bytes(parts[SET_HANDLE], "big")))
        handle = int.from_bytes(attributes(table[4:])[TABLE_HANDLE], "big")
        return Layout(handle, frozenset(found))

    def holds(self, names: Collection[str], sessions: Iterable[Session], boot: float) -> bool:
        """Whether these sets hold what these sessions are worth and nothing else; what ends just now may."""
        wanted: set[tuple[str, bytes]] = set()
        ending: set[tuple[str, bytes]] = set()
        for session in sessions:
            for (name, address), until in session.elements():
                if name in names:
                    (wanted if until > boot + ABOUT else ending).add((name, address.packed))
        found = {(name, key) for name in names for key, _ in self._elements(name)}
        return wanted <= found <= wanted | ending

    def held(self, names: Collection[str]) -> dict[Place, float]:
        """The elements of these sets, each with the seconds that it has left."""
        return {
            (name, ip_address(key)): _left(parts) for name in names for key, parts in self._elements(name)
        }

    def counts(self, names: Collection[str]) -> dict[Place, int]:
        """The elements of these sets, each with how many packets it has met that are counted."""
        return {
            (name, ip_address(key)): _counted(parts) for name in names for key, parts in self._elements(name)
        }

    def _elements(self, name: str) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Keys, each with all attributes of its element."""
        for body in self._ask(GET_ELEMENTS, DUMP, text(1, "segc") + text(2, name)):
            for _, element in each_attribute(attributes(body[4:]).get(ELEMENT_LIST, b"")):
                parts = attributes(element)
                yield attributes(parts[KEY])[1], parts

    def packets(self, places: Iterable[Place]) -> int:
        """How many packets these elements have met that are counted; those that are not there, none."""
        count = 0
        for name, address in places:
            key = attribute(NESTED | 1, attribute(NESTED | 1, attribute(1, address.packed)))
            body = text(1, "segc") + text(2, name) + attribute(NESTED | ELEMENT_LIST, key)
            try:
                for answer in self._ask(GET_ELEMENTS, 0, body):
                    (element,) = attributes(attributes(answer[4:])[ELEMENT_LIST]).values()
                    count += _counted(attributes(element))
            except OSError:
                continue
        return count

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Answers without their netlink headers. OSError with what the kernel says."""
        found: list[bytes] = []
        self._netlink.send(message(kind, REQUEST | (flags or ACK), body, INET if body else 0))
        while True:
            for number, answer in messages(self._netlink.recv(BUFFER)):
                if number == DONE:
                    return found
                if number == ERROR:
                    (error,) = struct.unpack_from("=i", answer)
                    if error:
                        raise OSError(-error, os.strerror(-error))
                    return found
                found.append(answer)


def _by_set(changes: Iterable[Change], boot: float) -> BySet:
    """What of each set goes and comes. What stays as it is, with the same time and person, does neither."""
    gone: dict[Place, tuple[float, Session]] = {}
    come: dict[Place, tuple[float, Session]] = {}
    for before, after, _ in changes:
        gone |= {place: (until, before) for place, until in before.elements()} if before else {}
        come |= {place: (until, after) for place, until in after.elements() if until > boot} if after else {}
    steps: BySet = {}
    for name, address in gone.keys() - come.keys():
        steps.setdefault(name, ([], []))[0].append(Element(address.packed))
    for (name, address), (until, session) in come.items():
        former = gone.get((name, address))
        if former is None or former[1].claim.user != session.claim.user or abs(former[0] - until) > SLACK:
            steps.setdefault(name, ([], []))[1].append(_element(session, address, until - boot))
    return steps


def _element(session: Session, address: Address, seconds: float) -> Element:
    """It is counted where somebody will ask whether it was idle."""
    claim, counted = session.claim, session.verdict.idle is not None
    words = f"{claim.user} by {claim.source}".translate(_UNQUOTED)
    return Element(address.packed, max(1, round(seconds * 1000)), comment=words, counted=counted)


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode()


def _left(parts: Mapping[int, bytes]) -> float:
    """Seconds, of the attributes of an element."""
    left = parts.get(EXPIRATION)
    return inf if left is None else int.from_bytes(left, "big") / 1000


def _counted(parts: Mapping[int, bytes]) -> int:
    """Of the attributes of an element; 0 where it is not counted."""
    expression = attributes(parts.get(ELEMENT_EXPRESSION, b""))
    counter = attributes(expression.get(EXPRESSION_DATA, b""))
    return int.from_bytes(counter.get(COUNTER_PACKETS, b""), "big")


# -- connections ---------------------------------------------------------------------------------------


def end_connections(addresses: Collection[Address]) -> int:
    """End the connections that a session let in at these addresses; how many."""
    return conntrack.end([each for each in conntrack.connections_of(addresses) if each.has_label(LABEL)])


def connected() -> set[Address]:
    """The addresses where there are connections that a session may have let in, or one that is over."""
    return conntrack.ends(LABEL)
