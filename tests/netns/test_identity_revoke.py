"""Who leaves a group in the directory loses an open connection at once, without any review."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli.identity import command
from tests.netns.agents import AgentHost
from tests.netns.conversation import open_tcp, serve_tcp, tcp_connect
from tests.netns.site import ZONES
from tests.netns.test_sessions import echoes, is_reset

pytestmark = pytest.mark.kernel
POLICY = """
directory corp { sync 1m }
allow group ledger in a -> b : tcp/443
allow group staff in a -> b : tcp/444
"""
SECOND = 1.0


class Firm(AgentHost):
    """Its directory is an export that tests rewrite."""

    def lists(self, *rows: str) -> None:
        (self.folder / "people.csv").write_text("email,groups\n" + "".join(f"{row}\n" for row in rows))

    def revoke(self, code: int = 0) -> str:
        settings = str(self.folder / "identity.toml")
        done = self.segc("identity", "revoke", "--settings", settings, "--socket", str(self.socket))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


EVERYBODY = [f"{name}@x.example,sg-ledger" for name in ("dora", "emil", "fay", "gus")]
STAFF = [f"{name}@x.example," for name in ("ana", "bo", "cy")]


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    with Firm(folder=tmp_path, zones=ZONES) as firm:
        (tmp_path / "identity.toml").write_text('[corp]\nkind = "export"\nfile = "people.csv"\n')
        firm.lists(*EVERYBODY, *STAFF)
        path = firm.write(POLICY)
        synced = CliRunner().invoke(command, ["sync", "-p", path])
        assert synced.exit_code == 0, synced.output
        applied = firm.segc("apply", path, "--strict")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        firm.start_agent()
        yield firm


def holds(firm: Firm, name: str) -> bool:
    return {firm.address(name, family) for family in (4, 6)} <= firm.bound()


def test_who_leaves_a_group_loses_its_access_within_a_second(firm: Firm) -> None:
    firm.claimed("a.5", "dora@x.example")
    firm.claimed("a.6", "emil@x.example")
    server = firm.gateway.attach("b0", firm.address("b.5", 4), firm.address("b.5", 6))
    client = firm.gateway.attach("a0", firm.address("a.5", 4), firm.address("a.5", 6))
    with (
        serve_tcp(server, 443),
        open_tcp(client, firm.address("a.5", 4), firm.address("b.5", 4), 443) as stream,
    ):
        stream.settimeout(SECOND)
        assert echoes(stream)
        assert "nobody has left" in firm.revoke()
        assert echoes(stream)
        firm.lists(*EVERYBODY[1:], *STAFF, "dora@x.example,")
        assert "dora@x.example  left ledger" in firm.revoke()
        revoked = time.monotonic()
        assert is_reset(stream, revoked + SECOND)
    assert holds(firm, "a.6")
    firm.claimed("a.5", "dora@x.example")  # known, and in no group that opens anything
    assert not holds(firm, "a.5")


def test_who_leaves_a_group_that_is_denied_gains_nothing(firm: Firm) -> None:
    """What opens is reviewed, so a directory must not open it."""
    path = firm.write(POLICY.replace("allow group ledger", "deny group ledger") + "allow a -> b : tcp/443\n")
    applied = firm.segc("apply", path)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    firm.claimed("a.5", "dora@x.example")
    server = firm.gateway.attach("b0", firm.address("b.5", 4), firm.address("b.5", 6))
    client = firm.gateway.attach("a0", firm.address("a.5", 4), firm.address("a.5", 6))
    way = firm.address("a.5", 4), firm.address("b.5", 4), 443
    with serve_tcp(server, 443):
        assert tcp_connect(client, *way) != "connected"
        firm.lists(*EVERYBODY[1:], *STAFF, "dora@x.example,")
        assert "dora@x.example  left ledger" in firm.revoke()
        assert tcp_connect(client, *way) != "connected"


def test_who_is_back_is_let_in_again(firm: Firm) -> None:
    firm.lists(*EVERYBODY[1:], *STAFF, "dora@x.example,")
    firm.revoke()
    firm.lists(*EVERYBODY, *STAFF)
    assert "nobody has left" in firm.revoke()
    firm.claimed("a.5", "dora@x.example")
    assert holds(firm, "a.5")


def test_who_is_gone_altogether_is_nobody(firm: Firm) -> None:
    """Ana is in a group that the policy lists, and so is only asked whether she is still there."""
    firm.claimed("a.5", "ana@x.example")
    assert holds(firm, "a.5")
    firm.lists(*EVERYBODY, *STAFF[1:])
    assert "ana@x.example  is gone" in firm.revoke()
    assert not holds(firm, "a.5")
    assert "was revoked" in firm.claim("a.5", "ana@x.example")["error"]


def test_a_name_that_no_session_can_have_keeps_nobody_in(firm: Firm) -> None:
    lock = firm.folder / "identities.lock.json"
    lock.write_text(lock.read_text().replace("dora@", "do\u00a0ra@"))
    applied = firm.segc("apply", str(lock.parent / "policy.seg"), "--strict")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    firm.claimed("a.6", "emil@x.example")
    firm.lists(*EVERYBODY[2:], *STAFF)
    assert "emil@x.example  is gone" in firm.revoke()
    assert not holds(firm, "a.6")


def test_without_a_snapshot_that_can_be_read_nobody_says_who_has_left(firm: Firm) -> None:
    (firm.folder / "identities.lock.json").write_text("<<<<<<< HEAD\n")
    done = firm.segc("identity", "revoke", "--policy", str(firm.folder / "policy.seg"))
    assert (done.returncode, "is damaged" in done.stderr) == (1, True), done.stdout + done.stderr


def test_a_directory_that_forgets_a_group_is_not_believed(firm: Firm) -> None:
    firm.claimed("a.5", "gus@x.example")
    firm.lists(*STAFF)
    assert "the group `sg-ledger` of `corp` is not there, and had 4" in firm.revoke(code=4)
    assert holds(firm, "a.5")


def test_a_directory_that_is_down_ends_nothing(firm: Firm) -> None:
    firm.claimed("a.5", "gus@x.example")
    (firm.folder / "people.csv").unlink()
    said = firm.revoke(code=1)
    assert ("cannot be read" in said, "nobody has left" in said) == (True, False)
    assert holds(firm, "a.5")


def test_one_is_back_while_another_leaves(firm: Firm) -> None:
    firm.lists(*EVERYBODY, *STAFF[1:])
    assert "ana@x.example  is gone" in firm.revoke()
    firm.lists(*EVERYBODY[1:], *STAFF, "dora@x.example,")
    assert "dora@x.example  left ledger" in firm.revoke()
    firm.claimed("a.5", "ana@x.example")
    firm.claimed("a.6", "dora@x.example")
    assert (holds(firm, "a.5"), holds(firm, "a.6")) == (True, False)
    assert firm.state.read("revoked.json") == {"dora@x.example": ["ledger"]}
