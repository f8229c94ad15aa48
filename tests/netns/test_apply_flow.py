"""A stream of packets runs through one apply after another: none is lost, and none passes that may not.

`SEGC_APPLIES=1000` has more of them.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from segc.apply import saga
from segc.apply.elements import transact
from tests.netns.applying import Host
from tests.netns.namespace import Namespace

APPLIES = int(os.environ.get("SEGC_APPLIES", "200"))
ALWAYS = "allow as stream a -> b : udp/5000"
FIRST = f"{ALWAYS}\nallow as one a -> c : tcp/1-100, tcp/443\nallow as two b -> c : udp/7"
LESS = "allow as one a -> c : tcp/1-90\nallow as three c -> a : tcp/25\ndeny as shut a.two -> b : tcp/9"
SECOND = f"{ALWAYS}\n{LESS}"
SIMPLE = f"{FIRST}, udp/9\nallow as four b -> c : tcp/80, tcp/300-310".replace("1-100", "1-90")
PAUSE = 0.001


@dataclass
class Stream:
    """Numbered datagrams from one host to another, over a hundred connections in turn."""

    source: Namespace
    target: Namespace
    address: str
    port: int
    sent: int = 0
    seen: set[int] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Stream:
        self.inbox = self.target.call(self._bound)
        self.outboxes = [
            self.source.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(100)
        ]
        self.threads = [threading.Thread(target=each) for each in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()
        return self

    def _bound(self) -> socket.socket:
        inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        inbox.bind((self.address, self.port))
        inbox.settimeout(0.5)
        return inbox

    def _send(self) -> None:
        while not self.over.is_set():
            self.outboxes[self.sent % 100].sendto(b"%d" % self.sent, (self.address, self.port))
            self.sent += 1
            time.sleep(PAUSE)

    def _receive(self) -> None:
        while True:
            try:
                self.seen.add(int(self.inbox.recv(64)))
            except TimeoutError:
                if self.over.is_set():
                    return

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        for each in (self.inbox, *self.outboxes):
            each.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


@pytest.mark.parametrize("second", [SECOND, SIMPLE], ids=["renumbered", "without nft"])
def test_a_stream_runs_through_many_applies(host: Host, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [host.wanted(FIRST), host.wanted(second)]
    host.apply_here(wanted[0])
    direct: list[object] = []
    monkeypatch.setattr(saga, "transact", lambda changes: (direct.append(changes), transact(changes)))
    sender, receiver = host.gateway.attach("a0", "10.1.0.5"), host.gateway.attach("b0", "10.2.0.7")
    with (
        Stream(sender, receiver, "10.2.0.7", 5000) as stream,
        Stream(sender, receiver, "10.2.0.7", 5001) as other,
    ):
        for number in range(1, APPLIES):
            assert host.apply_here(wanted[number % 2])
    assert stream.sent > APPLIES
    assert stream.seen == set(range(stream.sent))
    assert other.sent > APPLIES
    assert not other.seen
    assert host.marker() == (APPLIES,)
    assert len(direct) == (APPLIES - 1 if second == SIMPLE else 0)
    assert len(host.state.numbers()) <= 21
