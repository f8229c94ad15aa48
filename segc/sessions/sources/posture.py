"""Posture: facts about devices, as JSON from whoever manages them.

    {"device": "laptop-17", "time": "2026-11-23T07:00:00Z",
     "facts": {"disk_encrypted": true, "os_version": "14.5"}}

One object, a list of them, or one a line; from a file, from all `*.json` of a folder, or from standard input.
Versions and dates are strings. A fact is believed from its `time` on for a stated age: what is older, what
has no time or one that is to come, and what nobody has said is unknown, and fails. Users of osquery and the
like write a query that gives these names and values.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from segc.document import DocumentError, read_json
from segc.identity.names import LENGTH, readable
from segc.sessions.client import UnansweredError
from segc.sessions.sources.hook import Request, vouched
from segc.sessions.sources.link import Link

MAX_AGE = 3600  # seconds
SKEW = 300  # seconds by which a clock may be ahead of ours


class FeedError(ValueError):
    """A report that says too little, in words."""


def reports(text: str) -> Iterator[Any]:
    """The JSON values of a feed: one a line, or all of it is one. The first line that is none is a FeedError
    among them, as what the others say must not wait for it. FeedError where all are none."""
    try:
        whole = read_json(text) if text.strip() else []
    except DocumentError as error:
        yield from _lines(text, error)
        return
    yield from whole if isinstance(whole, list) else [whole]


def _lines(text: str, whole: DocumentError) -> Iterator[Any]:
    found: list[Any] = []
    wrong: FeedError | None = None
    for line in filter(str.strip, text.splitlines()):
        try:
            found.append(read_json(line))
        except DocumentError as error:
            if wrong is None:
                found.append(wrong := FeedError(f"a line of it {error.reason}"))
    if found == [wrong]:
        raise FeedError(f"it {whole.reason}")
    yield from found


def request(report: Any, max_age: int, now: float) -> Request:
    """What the agent is told. FeedError where it is no report, or too old to be believed."""
    if isinstance(report, FeedError):
        raise report
    if not isinstance(report, dict) or not isinstance(report.get("device"), str):
        raise FeedError("a report needs a `device`, a `time` and `facts`")
    device, facts = report["device"], report.get("facts")
    if not readable(device):
        raise FeedError(f"a report needs a `device` of 1 to {LENGTH} printable characters")
    if not isinstance(facts, dict):
        raise FeedError(f"the report about `{device}` has no object `facts`")
    at = _moment(report.get("time"))
    if at is None:
        raise FeedError(f"the report about `{device}` has no `time`: Unix seconds, or ISO 8601 with a zone")
    if now - at >= max_age:
        raise FeedError(f"the report about `{device}` is {now - at:.0f} s old: it says nothing any more")
    if at - now > SKEW:
        raise FeedError(f"the report about `{device}` is of {at - now:.0f} s from now: its clock is wrong")
    return {"do": "facts", "device": device, "facts": facts, "at": at, "ttl": max_age}


def _moment(value: Any) -> float | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) if math.isfinite(value) else None
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (OverflowError, ValueError):
        return None
    return found.timestamp() if found is not None and found.tzinfo is not None else None


def _text(data: bytes) -> str:
    """What is no UTF-8 in it is told as damage of its line."""
    return data.decode("utf-8-sig", "surrogateescape")


@dataclass(slots=True)
class Source:
    """Hands on a feed."""

    link: Link
    source: str
    max_age: int = MAX_AGE
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)  # modification and size
    _unread: set[Path] = field(default_factory=set)  # that cannot be, and were told of
    _useless: set[str] = field(default_factory=set)  # facts that were told of

    def follow(self, path: Path) -> None:
        """A file or a folder, for ever, whenever it changes. OSError where it cannot be read."""
        self.link.again(lambda: self._look(path))

    def listen(self, lines: Iterable[bytes]) -> None:
        """Lines, to their end."""
        for line in lines:
            while not self.take(_text(line), "standard input"):
                time.sleep(1)

    def _look(self, path: Path) -> None:
        if not path.is_dir():
            self._read(path)
            return
        for each in sorted(path.glob("*.json")):
            try:
                self._read(each)
                self._unread.discard(each)
            except OSError as error:  # what the others say must not wait for it
                if each not in self._unread:
                    self._unread.add(each)
                    self.link.complain(error)

    def _read(self, path: Path) -> None:
        status = path.stat()
        found = status.st_mtime_ns, status.st_size
        if self._seen.get(path) != found and self.take(_text(path.read_bytes()), str(path)):
            self._seen[path] = found

    def take(self, text: str, where: str) -> bool:
        """Whether the agent has heard all of it; what is no report is told and passed over."""
        now = time.time()
        try:
            for each in reports(text):
                self._send(each, where, now)
        except FeedError as error:
            self.link.report(f"{where}: {error}")
        except UnansweredError as error:
            self.link.complain(error)
            return False
        return True

    def _send(self, report: Any, where: str, now: float) -> None:
        try:
            asked = request(report, self.max_age, now)
        except FeedError as error:
            self.link.report(f"{where}: {error}")
            return
        self.link.deliver(
            vouched(asked, "posture", self.source, {}), lambda answer: self._tell(answer, where)
        )

    def _tell(self, answer: Request, where: str) -> None:
        """Of facts whose values fulfil no posture, each once: a feed has the same slip for all devices."""
        useless = answer.get("useless")
        for fact, words in useless.items() if isinstance(useless, dict) else ():
            if fact not in self._useless:
                self._useless.add(fact)
                self.link.report(f"{where}: {words}")
