"""Audit events as journald and syslog get them, by sockets of the same kind."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.sessions import audit
from segc.sessions.audit import Audit, event

EVENT = event(1_800_000_000.25, "bind", "failure", "it is `over`", "gw", user__name='a"b=c', source__mac=None)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(path)
        found.settimeout(5)
        monkeypatch.setattr(audit, "JOURNALD", path)
        monkeypatch.setattr(audit, "SYSLOG", path)
        yield found


def test_what_an_event_says() -> None:
    assert EVENT["@timestamp"] == "2027-01-15T08:00:00.250Z"
    assert EVENT["event.type"] == ["denied"]
    assert "source.mac" not in EVENT


def test_journald_gets_fields_a_line_each(inbox: socket.socket) -> None:
    Audit("journald").tell(EVENT)
    fields = dict(line.split("=", 1) for line in inbox.recv(10_000).decode().splitlines())
    assert json.loads(fields["MESSAGE"]) == EVENT
    assert (fields["PRIORITY"], fields["SYSLOG_FACILITY"], fields["SYSLOG_IDENTIFIER"]) == ("5", "10", "segc")


def test_syslog_gets_a_line(inbox: socket.socket) -> None:
    Audit("syslog").tell(EVENT)
    head, _, line = inbox.recv(10_000).decode().partition("@cee: ")
    assert head == "<85>segc: "
    assert json.loads(line) == EVENT


def test_what_cannot_be_told_is_counted(inbox: socket.socket, tmp_path: Path) -> None:
    told = Audit("syslog")
    Path(audit.SYSLOG).unlink()
    told.tell(EVENT)
    assert told.lost == 1
    with pytest.raises(FileNotFoundError):
        Audit("journald")
    (tmp_path / "link").symlink_to("/dev/null")
    with pytest.raises(OSError, match="symbolic"):
        Audit(str(tmp_path / "link"))


def test_half_a_line_on_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A limit of the file's size stands for the disk: both write what there is room for."""
    path = tmp_path / "audit.json"
    told = Audit(str(path))
    told.tell(EVENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
    try:
        told.tell(EVENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    told.tell(EVENT)
    assert told.lost == 1
    assert [json.loads(line) for line in path.read_text().splitlines()] == [EVENT, EVENT]
