"""Whatever a file or a peer holds in place of JSON of ours: each place that reads it has one word for it."""

from __future__ import annotations

import json
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from segc import cache, manifest
from segc.apply.errors import ApplyError
from segc.apply.generation import Meta
from segc.apply.links import read_plan as read_links
from segc.apply.state import State
from segc.compile import build
from segc.document import DocumentError, read_json, shaped
from segc.identity.directories import entra, export
from segc.identity.errors import DirectoryError
from segc.identity.snapshot import read_snapshot
from segc.identity.web import _json
from segc.plan.items import link_changes
from segc.plan.make import Told, make_plan
from segc.plan.model import Action, Change, NodePlan
from segc.plan.saved import plan_json, read_plan
from segc.policy.resolve import resolve
from segc.sessions import client, records
from segc.sessions.book import BookError, read_book
from segc.sessions.client import UnansweredError
from segc.sessions.clock import Moment
from segc.sessions.journal import DamagedError, stored
from segc.sessions.requests import answer
from segc.sessions.sources import hook
from segc.sessions.sources.posture import FeedError, reports
from segc.source import SourceFile
from segc.syntax.parse import parse

DEEP = b"[" * 100_000
DAMAGED = {
    "empty": b"",
    "blank": b" \n",
    "half": b'{"format": 1, "version": 1, "direct',
    "deep": DEEP,
    "deep and closed": DEEP + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "NaN": b'{"version": NaN, "format": NaN}',
    "infinity": b"-Infinity",
    "too large": b'{"version": 1e999, "format": 1e999}',
    "digits": b'{"version": ' + b"7" * 5000 + b"}",
    "twice": b'{"version": 1, "version": 1, "format": 1, "format": 1}',
    "half a pair": rb'{"version": "\ud800", "format": "\uDFFF"}',
    "half a pair as a name": rb'{"\ud800": 1}',
    "UTF-16": '{"version": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"version": 1}'.encode("utf-16-le"),
    "Latin-1": '{"version": "ä"}'.encode("latin-1"),
    "a surrogate": b'{"version": "\xed\xa0\x80"}',
    "two": b'{"version": 1} {"version": 1}',
    "NUL": b'{"version": 1}\0',
}
OTHER = {  # JSON, but of something else
    "list": b'[{"version": 1, "format": 1}]',
    "text": b'"version"',
    "number": b"7",
    "null": b"null",
    "true": b"true",
    "nothing": b"{}",
    "true for 1": b'{"version": true, "format": true}',
    "nested": b'{"version": ' + b"[" * 900 + b"]" * 900 + b', "format": 1}',
}
POLICY = """
group admins { user "bo@acme.example" }
posture managed { disk_encrypted = true  os_version >= "14.2" }
session admins { max 1h idle 10m }
zone a { vlan 10 subnet 10.0.1.0/24, 2001:db8:1::/64 host h = 10.0.1.5 }
zone b { vlan 20 subnet 10.0.2.0/24 }
zone vpn { subnet 10.0.3.0/24 }
source hq openvpn { zone vpn  mfa  posture managed  max 3h }
gateway gw {
  interface br0 { bridge port p1 zone b port p2 trunk a, b isolated }
  interface tun0 { zone vpn }
  address b 10.0.2.1/24
}
allow a -> b : tcp/443
allow group admins in vpn -> b : tcp/22 require mfa, posture managed
"""


def artifacts() -> dict[str, str]:
    """What is written of a policy, by name, and a plan that makes it stand."""
    source = SourceFile("policy.seg", POLICY)
    files = [(source, parse(source)[0])]
    policy, _ = resolve([file for _, file in files])
    built = build(policy, files).artifacts
    nodes = (NodePlan("gw", (Change(Action.ADD, "set", "who", "", "x"),)),)
    plan = make_plan(Told(policy, (source,)), built, None, ("live", ""), "state", nodes)
    listing = json.dumps({"segc": "0.1.0", "node": "gw", "policy": "0", "files": {"a": "b"}})
    return {each.name: each.text for each in built} | {
        "plan.json": plan_json(plan, whole=True),
        "manifest.json": listing,
    }


WHOLE = artifacts()


class Place(NamedTuple):
    """`read` raises one of `errors`, or where those are none gives what `says_nothing`."""

    read: Callable[[bytes, Path], object]
    errors: type[Exception] | tuple[()] = ()
    nothing: object = None


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def generation(data: bytes, folder: Path, name: str) -> object:
    state = State(folder / "state")
    meta = Meta(1, None, "gw", "0", "root", 0, "", "0.1.0", "boot")
    with state.locked():
        path = state.record(meta, {"build/manifest.json": WHOLE["manifest.json"]}).folder
    (path / name).write_bytes(data)
    if name != "meta.json":
        found = json.loads((path / "meta.json").read_text())
        (path / "meta.json").write_text(json.dumps(found | {"sizes": {name: len(data)}}))
    return state.generation(1)


def small_file(data: bytes, folder: Path) -> object:
    (folder / "window.json").write_bytes(data)
    return State(folder).read("window.json")


def kept(data: bytes, folder: Path) -> object:
    cache.put("entra", "key", data)
    return entra._kept("key")


def exported(data: bytes, folder: Path) -> object:
    (folder / "users.json").write_bytes(data)
    return export._table(folder / "users.json", "users.json")


def asked(ask: Callable[[Path], object], data: bytes, folder: Path) -> object:
    def agent() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            lines.readline()
            connection.sendall(data.replace(b"\n", b" ") + b"\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        listener.listen()
        thread = Thread(target=agent)
        thread.start()
        try:
            return ask(folder / "sock")
        finally:
            thread.join()


def snapshot(data: bytes, folder: Path) -> object:
    found, diagnostics = read_snapshot(SourceFile("identities.lock.json", text(data)))
    assert [each.code for each in diagnostics] == ["SEG112"]
    return found


def requested(data: bytes, folder: Path) -> object:
    found = answer(data, None, None)  # type: ignore[arg-type]
    assert "\n" not in found["error"]
    return found["ok"]


def journal(data: bytes, folder: Path) -> object:
    """A line that is as it was written, by whoever that was."""
    line = data.replace(b"\n", b" ")
    (folder / "snapshot.1").write_bytes(b"%08x %s\n" % (zlib.crc32(line), line))
    return records.read(stored(folder), "boot", Moment(1e9, 1.0))


def feed(data: bytes, folder: Path) -> object:
    """A report of another shape is another matter, see `request`."""
    return [each for each in reports(data.decode("utf-8", "replace")) if isinstance(each, FeedError)]


PLACES = {
    "plan": Place(lambda data, _: read_plan(text(data)), ValueError),
    "links": Place(lambda data, _: read_links(text(data)), ApplyError),
    "links of a build": Place(lambda data, _: link_changes(text(data) or "{}", None), DocumentError),
    "sessions": Place(lambda data, _: read_book(text(data)), BookError),
    "journal": Place(journal, DamagedError),
    "feed": Place(feed, FeedError),
    "export": Place(exported, DirectoryError),
    "meta": Place(lambda data, folder: generation(data, folder, "meta.json"), ApplyError),
    "build": Place(lambda data, folder: generation(data, folder, "build/manifest.json"), ApplyError),
    "manifest": Place(lambda data, _: manifest.digests(text(data))),
    "snapshot": Place(snapshot),
    "small file": Place(small_file, (), {}),
    "kept of Entra": Place(kept, (), {}),
    "request": Place(requested, (), False),
    "page": Place(lambda data, _: _json(data), DirectoryError),
    "client": Place(
        lambda data, folder: asked(lambda path: client.ask(path, {}), data, folder), UnansweredError
    ),
    "hook": Place(lambda data, folder: asked(lambda path: hook.ask(str(path), {}), data, folder), OSError),
}
OBJECTS, HALVES = ("nothing", "true for 1", "nested"), ("half a pair", "half a pair as a name", "a surrogate")
OWN = {  # that take any JSON for what it is
    "page": OTHER,
    "feed": (*OTHER, "empty", "blank", "Latin-1", "a surrogate"),
    "export": ("list",),
    "small file": OBJECTS,
    "client": OBJECTS,
    "hook": (*OBJECTS, "too large", "NaN", "twice", *HALVES),  # which has no part of segc
}


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SEGC_CACHE", raising=False)


@pytest.mark.parametrize("how", [*DAMAGED, *OTHER])
@pytest.mark.parametrize("where", PLACES)
def test_damage_has_one_word(where: str, how: str, tmp_path: Path) -> None:
    place, data = PLACES[where], {**DAMAGED, **OTHER}[how]
    if how in OWN.get(where, ()):
        place.read(data, tmp_path)
    elif place.errors:
        with pytest.raises(place.errors) as raised:
            place.read(data, tmp_path)
        assert type(raised.value) in (place.errors, ConnectionError)
        assert str(raised.value).isprintable(), raised.value
    else:
        assert place.read(data, tmp_path) == place.nothing


@pytest.mark.parametrize("where", PLACES)
def test_nesting_that_is_just_taken(where: str, tmp_path: Path) -> None:
    """What one step reads must not be too deep for the next."""
    for number, depth in enumerate(range(920, 1000, 2)):
        (folder := tmp_path / str(number)).mkdir()
        data = b'{"version": ' + b"[" * depth + b"]" * depth + b', "format": ' + b"[" * depth + b"]" * depth
        with suppress(*([place.errors] if (place := PLACES[where]).errors else [])):
            place.read(data + b"}", folder)


# -- the wrong types -------------------------------------------------------------------------------------

TYPED: dict[str, tuple[Callable[[str], object], type[Exception]]] = {
    "plan.json": (read_plan, ValueError),
    "links.json": (read_links, ApplyError),
    "sessions.json": (read_book, BookError),
}


def spoiled(value: Any) -> Iterator[Any]:
    """The value with one of what is in it exchanged for something else, or gone."""
    for other in (None, True, 7, -1.5, "x", [], {}, [[]], {"x": 7}):
        if type(other) is not type(value):
            yield other
    if isinstance(value, dict):
        for name in value:
            yield {key: each for key, each in value.items() if key != name}
            yield from ({**value, name: each} for each in spoiled(value[name]))
    if isinstance(value, list):
        yield [*value, 7]
        for number, inner in enumerate(value):
            yield from ([*value[:number], each, *value[number + 1 :]] for each in spoiled(inner))


@pytest.mark.parametrize("name", TYPED)
def test_what_is_of_another_type_is_told(name: str) -> None:
    """Or it is as good as what was there: null where something may lack, or a name that nobody reads."""
    read, error = TYPED[name]
    whole = json.loads(WHOLE[name])
    assert read(json.dumps(whole)) == read(WHOLE[name])
    told = taken = 0
    for each in spoiled(deepcopy(whole)):
        try:
            found = read(json.dumps(each))
        except error as raised:
            told += type(raised) is error
        else:
            repr(found)
            hash(found) if name != "sessions.json" else None
            taken += 1
    assert told > 4 * taken, (told, taken)


def test_names_reach_no_terminal_raw() -> None:
    """Their escapes would move its cursor, and hide what comes after."""
    name = "\x1b]0;x\x07\u202e\x9bgrün"
    shown = r"\x1b]0;x\x07\u202e\x9bgrün"
    with pytest.raises(DocumentError, match=re.escape(f"gives `{shown}` twice")):
        read_json(f'{{"{json.dumps(name)[1:-1]}": 1, "{json.dumps(name)[1:-1]}": 2}}')
    with pytest.raises(DocumentError, match=re.escape(f"in `files.{shown}`")):
        shaped(manifest._Manifest, {"segc": "1", "files": {name: 3}})


@pytest.mark.parametrize(
    "read",
    [lambda text: answer(text.encode(), None, None), lambda text: read_snapshot(SourceFile("s", text))],
)
def test_a_name_that_stands_twice_among_many_is_found_at_once(read: Callable[[str], object]) -> None:
    """An agent reads what it is asked before it does anything else, and all others wait."""
    many = ", ".join(f'"{number}": 1' for number in range(40_000))
    began = time.process_time()
    assert "39999" in str(read(f'{{{many}, "39999": 1}}'))
    assert time.process_time() - began < 2
