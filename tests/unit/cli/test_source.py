"""`segc source`, as far as it comes without a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segc.cli.source import command
from segc.sessions.sources import SOURCES
from segc.sessions.sources.link import Link
from segc.sessions.sources.radius import Detail
from tests.unit.cli.policies import segc


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("radius", "wifi"), 2, "say either `--listen` or `--detail`"),
        (("radius", "wifi", "--listen", "127.0.0.1", "--detail", "x"), 2, "say either"),
        (("radius", "wifi", "--listen", "127.0.0.1"), 1, "no access server is known"),
        (("radius", "wifi", "--listen", "127.0.0.1", "--clients", "none"), 1, "`none` cannot be read"),
        (("radius", "wifi", "--listen", "127.0.0.1", "--port", "0"), 2, "0"),
        (("radius", "wifi", "--listen", "127.0.0.1", "--clients", sys.executable), 1, "is not UTF-8"),
        (("openvpn", "hq"), 2, "--management"),
        (("openvpn", "hq", "--management", "x", "--management-password", "none"), 1, "`none` cannot be read"),
        (("openvpn", "hq", "--management", "x", "--ttl", "soon"), 2, "`soon` is no time"),
        (("wireguard", "wg"), 2, "--peers"),
        (("dhcp", "lan", "--leases", "none"), 1, "`none`: No such file or directory"),
        (("dhcp", "lan", "--leases", __file__), 1, "is no lease file: neither one of Kea (memfile) nor of"),
        (("dhcp", "lan", "--leases", sys.executable), 1, "is no lease file"),
        (("posture", "fleet", "none"), 1, "`none`: No such file or directory"),
        (("dhcp", "lan", "--leases", "none", "--netns", "no/such"), 1, "cannot name a network namespace"),
        (("hook", "cisco", "hq"), 2, "cisco"),
        (("hook", "openvpn", "hq\nup /bin/sh"), 2, "cannot name a `source`"),
    ],
)
def test_what_cannot_begin_is_told(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = segc("source", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_accounting_server_says_where_it_cannot_listen(tmp_path: Path) -> None:
    clients = tmp_path / "clients"
    clients.write_text("10.0.0.0/8 secret\n")
    done = segc("source", "radius", "wifi", "--listen", "192.0.2.1", "--clients", str(clients))
    assert (done.returncode, "`192.0.2.1 port 1813`" in done.stderr) == (1, True), done.stderr


def test_a_folder_for_a_detail_file_stays_where_it_is(tmp_path: Path) -> None:
    done = segc("source", "radius", "wifi", "--detail", str(tmp_path))
    assert (done.returncode, tmp_path.is_dir()) == (1, True), done.stderr


def test_what_is_no_detail_file_stays_where_it_is(tmp_path: Path) -> None:
    """Nothing is taken away of what was given by mistake."""
    told: list[str] = []
    path = tmp_path / "detail"
    detail = Detail(Link(tmp_path / "no.sock", told.append), "wifi", {}, path)
    for text in ("some words\n", "", "Mon Nov 23 08:00:00 2026\n\tAcct-Status-Type = Start\n\n"):
        path.write_text(text)
        detail._look()
        assert path.exists() == (text == "some words\n"), text
    assert [each for each in told if "holds no record" in each] == told[:1]


def test_reports_from_standard_input_come_to_an_end() -> None:
    argv = [sys.executable, "-m", "segc", "source", "posture", "fleet", "-"]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as in any locale but C
    done = subprocess.run(argv, input=b"nonsense\n\xff\n{}\n", capture_output=True, env=strict)
    assert done.returncode == 0
    assert b"standard input: it is no JSON" in done.stderr
    assert b"standard input: it is not UTF-8" in done.stderr
    assert b"needs a `device`" in done.stderr


def test_every_source_has_a_command() -> None:
    assert command.commands.keys() == {*SOURCES, "hook"}


@pytest.mark.parametrize("server", ["openvpn", "freeradius", "dnsmasq"])
def test_a_hook_is_printed(server: str) -> None:
    done = segc("source", "hook", server, "hq", "--ttl", "30m")
    assert done.returncode == 0
    assert f"--ttl 1800 {server} hq" in done.stdout
