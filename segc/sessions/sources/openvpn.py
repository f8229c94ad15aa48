"""OpenVPN's management interface: sessions end with their tunnels, and tunnels with their sessions.

Where OpenVPN runs `hook.py` as learn-address, that binds and unbinds. Where it has `management-client-auth`,
it tells of clients here and waits for leave. With either, each round compares both sides:

- a client that has no session, or came while nobody could answer the hook and so may send nothing, is sent
  away, so that it comes back and is judged anew, or not; likewise one of whose two addresses that is so,
  where the agent would have it by now;
- a session that has no client any more is unbound;
- one that has is renewed, as OpenVPN has checked its certificate again within `reneg-sec`.

Source: doc/management-notes.txt of OpenVPN 2.6.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from segc.sessions.client import UnansweredError
from segc.sessions.sources.hook import POOL, Options, Request, learn_address, vouched
from segc.sessions.sources.link import Link

PATIENCE = 5.0  # seconds until a command must be answered
INTERVAL = 1.0  # seconds from round to round
RENEWAL = 300.0  # seconds
LONGEST = 1 << 20  # bytes of a line
PROMPT = b"ENTER PASSWORD:"
INNER = ("Virtual Address", "Virtual IPv6 Address")


class Client(NamedTuple):
    """One that is connected: its number, and its addresses in the tunnel that OpenVPN has learned, or not."""

    number: str
    addresses: tuple[str, ...]
    dead: tuple[str, ...] = ()


class Event(NamedTuple):
    """A notification `>CLIENT:KIND,arguments`, with its environment."""

    kind: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]


class Steps(NamedTuple):
    """What a round comes to: clients to send away, by number, and requests for the agent."""

    kill: tuple[str, ...]
    requests: tuple[Request, ...]


def clients(status: Iterable[str]) -> Iterator[Client]:
    """Those of `status 3` that have been given an address in the tunnel. One that the hook refused is none
    of theirs, though it stands with the client: OpenVPN lets no packet of it through, for as long as the
    tunnel is up."""
    tables: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    names: dict[str, list[str]] = {}
    for line in status:
        kind, *fields = line.split("\t")
        if kind == "HEADER":
            names[fields[0]] = fields[1:]
        else:
            tables[kind].append(dict(zip(names.get(kind, ()), fields, strict=False)))
    learned = {(row.get("Virtual Address"), row.get("Real Address")) for row in tables["ROUTING_TABLE"]}
    for row in tables["CLIENT_LIST"]:
        inner = [each for name in INNER if (each := row.get(name, ""))]
        if inner:
            known = tuple(each for each in inner if (each, row.get("Real Address")) in learned)
            yield Client(row["Client ID"], known, tuple(each for each in inner if each not in known))


def compare(
    here: Iterable[Client], ids: Iterable[str], suspects: Mapping[Client, int], at: float
) -> tuple[Steps, dict[Client, int]]:
    """What to do about clients and the ids of sessions, which were asked for first; and the next `suspects`.

    Those have had no session for so many rounds; at the second, when it is not just about to have one, a
    client is sent away. Sessions are named by addresses, see `learn_address`.
    """
    standing, here = set(ids), list(here)
    rounds = {each: suspects.get(each, 0) + 1 for each in here if standing.isdisjoint(each.addresses)}
    kill = tuple(each.number for each, count in rounds.items() if count == 2)
    gone = standing.difference(*(each.addresses for each in here))
    return Steps(kill, tuple({"do": "unbind", "id": each, "at": at} for each in sorted(gone))), rounds


def requests(event: Event, options: Options, at: float) -> Iterator[Request]:
    """What a notification means, `env` being that of the client: an address begins, or all of them end."""
    if event.kind == "ADDRESS":
        yield from learn_address(("add", event.arguments[1]), event.env, options, at)
    elif event.kind == "DISCONNECT":
        for name in POOL:
            yield from learn_address(("delete", event.env.get(name, "")), event.env, options, at)


class Management:
    """A connection to it. OSError where there is none or it ends."""

    def __init__(self, place: str, password: str = "") -> None:
        """`place` is the path of a Unix socket, or HOST:PORT."""
        host, _, port = place.rpartition(":")
        if "/" in place or not host:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(place)
        else:
            self._socket = socket.create_connection((host, port), PATIENCE)
        self._socket.settimeout(PATIENCE)
        self._rest = b""
        self._told: deque[str] = deque()
        if password:
            self._identify(password)

    def close(self) -> None:
        self._socket.close()

    def _identify(self, password: str) -> None:
        """A wrong one is answered by the same prompt, which ends no line."""
        self._socket.sendall(password.encode() + b"\n")
        while b"\n" not in self._rest and self._rest.count(PROMPT) < 2:
            self._receive()
        if self._rest.count(PROMPT) > 1 or not self._line().startswith("SUCCESS:"):
            raise ConnectionError("it does not take the password")

    def command(self, text: str) -> list[str]:
        """The lines of its answer. OSError without one."""
        self._socket.sendall(text.encode() + b"\n")
        answer: list[str] = []
        while True:
            line = self._line()
            if line.startswith(">"):
                self._told.append(line)
                continue
            if line == "END" or line.startswith(("SUCCESS:", "ERROR:")):
                return answer
            answer.append(line)

    def _line(self) -> str:
        """ConnectionError at the end, TimeoutError where nothing comes."""
        while b"\n" not in self._rest:
            self._receive()
        line, _, self._rest = self._rest.partition(b"\n")
        return line.removeprefix(PROMPT).decode(errors="replace").rstrip("\r")

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data or len(self._rest) > LONGEST:
            raise ConnectionError("OpenVPN has closed its management interface")
        self._rest += data

    def events(self, patience: float) -> Iterator[Event]:
        """What it tells of clients, as soon as there is something, or nothing after `patience` seconds."""
        self._socket.settimeout(max(0.001, patience))
        try:
            if not self._told:
                self._told.append(self._line())
        except TimeoutError:
            return
        finally:
            self._socket.settimeout(PATIENCE)
        while self._told:
            kind, _, rest = self._told.popleft().partition(":")
            if kind != ">CLIENT" or rest.startswith("ENV,"):
                continue
            name, *arguments = rest.split(",")
            env = {} if name == "ADDRESS" else dict(self._environment())
            yield Event(name, tuple(arguments), env)

    def _environment(self) -> Iterator[tuple[str, str]]:
        while (line := self._told.popleft() if self._told else self._line()) != ">CLIENT:ENV,END":
            name, _, value = line.removeprefix(">CLIENT:ENV,").partition("=")
            yield name, value


def follow(link: Link, source: str, options: Options, place: str, password: str) -> None:
    """For ever, also when OpenVPN is started again."""
    while True:
        try:
            management = Management(place, password)
        except OSError as error:
            link.complain(OSError(f"OpenVPN cannot be reached at `{place}`: {error.strerror or error}"))
        else:
            with suppress(OSError), closing(management):
                Source(link, source, options, management).run()
        time.sleep(INTERVAL)


@dataclass(slots=True)
class Source:
    """Keeps the agent's sessions of one source and the clients of one OpenVPN together."""

    link: Link
    source: str
    options: Options
    management: Management
    _known: dict[str, Mapping[str, str]] = field(default_factory=dict)  # by a client's number
    _renewed: dict[str, float] = field(default_factory=dict)
    _suspects: dict[Client, int] = field(default_factory=dict)
    _halves: set[Client] = field(default_factory=set)  # of whom the agent was asked about the other address

    def run(self) -> None:
        """Until OpenVPN is gone: OSError, and then nobody vouches for its sessions any more."""
        try:
            while True:
                self._round()
                end = time.monotonic() + INTERVAL
                while (left := end - time.monotonic()) > 0:
                    for event in self.management.events(left):
                        self._take(event)
        except OSError:
            self.link.tell({"do": "unbind", "source": self.source, "all": True, "at": time.time()})
            raise

    def _round(self) -> None:
        try:
            ids = self.link.ids(self.source)
            here = list(clients(self.management.command("status 3")))
            halved = tuple(self._halved(here, ids))
        except UnansweredError as error:
            self.link.complain(error)
            return  # access is held by the kernel, for as long as was said
        (kill, due), self._suspects = compare(here, ids, self._suspects, time.time())
        for number in (*kill, *halved):
            self.management.command(f"client-kill {number}")
        for request in (*due, *self._renewals(here, ids)):
            self._send(request)

    def _halved(self, here: Iterable[Client], ids: set[str]) -> Iterator[str]:
        """Those with a session at one address and none at another, which the agent would take: it was not
        there when the hook asked. OpenVPN does not ask again, and a refusal by the policy looks the same."""
        halves = {each for each in here if each.dead and not ids.isdisjoint(each.addresses)}
        for each in halves - self._halves:
            if any(self.link.deliver(request) for request in self._again(each)):
                yield each.number
        self._halves = halves

    def _again(self, client: Client) -> Iterator[Request]:
        """What the hook asked for in vain, for who has the session of the other address."""
        asked: Request = {"do": "sessions", "source": self.source, "address": client.addresses[0]}
        found = self.link.ask(asked).get("sessions")
        names = {**self.options, "user": "user", "device": "device"}
        for env in found if isinstance(found, list) else ():
            for address in client.dead:
                for request in learn_address(("add", address), env, names, time.time()):
                    yield vouched(request, "openvpn", self.source, self.options)

    def _renewals(self, here: Sequence[Client], ids: Iterable[str]) -> Iterator[Request]:
        now = time.monotonic()
        present = {each for client in here for each in client.addresses}.intersection(ids)
        self._renewed = {each: self._renewed.get(each, now) for each in present}
        for each, before in self._renewed.items():
            if now - before >= RENEWAL:
                self._renewed[each] = now
                yield {"do": "renew", "id": each, "at": time.time(), "active": False}

    def _take(self, event: Event) -> None:
        number, *more = event.arguments
        wanted = {*POOL, self.options.get("user", "common_name"), self.options.get("device", "")}
        news = {name: event.env[name] for name in wanted & event.env.keys()}
        self._known[number] = {**self._known.get(number, {}), **news}
        if event.kind in ("CONNECT", "REAUTH"):
            self._admit(event.kind, number, more[0])
        known = event._replace(env=self._known[number])
        for request in requests(known, self.options, time.time()):
            if not self._send(request) and request["do"] == "bind":
                self.management.command(f"client-kill {number}")
        if event.kind == "DISCONNECT":
            del self._known[number]

    def _admit(self, kind: str, number: str, key: str) -> None:
        """Let a client in while there is an agent to bind it, and let it stay while it has a session."""
        try:
            ids = self.link.ids(self.source)
            pool = [self._known[number].get(name) for name in POOL]
            stays = kind == "CONNECT" or not ids.isdisjoint(filter(None, pool))
        except UnansweredError as error:
            self.link.complain(error)
            stays = False
        verdict = "client-auth-nt {} {}" if stays else 'client-deny {} {} "no session can be had"'
        self.management.command(verdict.format(number, key))

    def _send(self, request: Request) -> bool:
        return self.link.tell(vouched(request, "openvpn", self.source, self.options))
