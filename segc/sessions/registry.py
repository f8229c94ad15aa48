"""The sessions that stand, found by any name they have. Changes are applied one way or back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from segc.sessions.session import Change, Key, Session
from segc.space.addresses import Address

Index = dict[Any, dict[Key, None]]


@dataclass(slots=True)
class Registry:
    sessions: dict[Key, Session] = field(default_factory=dict)
    holders: dict[Address, Key] = field(default_factory=dict)
    _users: Index = field(default_factory=dict)
    _devices: Index = field(default_factory=dict)
    _sources: Index = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self.sessions.values())

    def get(self, key: Key) -> Session | None:
        return self.sessions.get(key)

    def holder(self, address: Address) -> Session | None:
        key = self.holders.get(address)
        return None if key is None else self.sessions[key]

    def of_user(self, user: str) -> list[Session]:
        return [self.sessions[key] for key in self._users.get(user, ())]

    def on_device(self, device: str) -> list[Session]:
        return [self.sessions[key] for key in self._devices.get(device, ())]

    def of_source(self, source: str) -> list[Session]:
        return [self.sessions[key] for key in self._sources.get(source, ())]

    def apply(self, changes: Iterable[Change]) -> None:
        for before, after, _ in changes:
            if before is not None:
                self._remove(before)
            if after is not None:
                self.add(after)

    def add(self, session: Session) -> None:
        key = session.key
        self.sessions[key] = session
        for address in session.claim.addresses:
            self.holders[address] = key
        for index, name in self._names(session):
            index.setdefault(name, {})[key] = None

    def _remove(self, session: Session) -> None:
        key = session.key
        del self.sessions[key]
        for address in session.claim.addresses:
            if self.holders.get(address) == key:
                del self.holders[address]
        for index, name in self._names(session):
            del index[name][key]
            if not index[name]:
                del index[name]

    def _names(self, session: Session) -> Iterator[tuple[Index, str]]:
        claim = session.claim
        yield self._users, claim.user
        yield self._sources, claim.source
        if claim.device is not None:
            yield self._devices, claim.device
