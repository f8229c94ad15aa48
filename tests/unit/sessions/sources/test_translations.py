"""What the sources make of what they read, without any server."""

from __future__ import annotations

import json
import struct
import time
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from segc.sessions.sources import dhcp, openvpn, posture, radius, wireguard
from segc.sessions.sources.directory import IdentitiesError, Identity, read_identities
from segc.sessions.sources.link import Link
from segc.sessions.sources.openvpn import Client, Event, clients, compare, requests
from segc.sessions.sources.radius import (
    DroppedError,
    access_servers,
    answer,
    decode,
    happened,
    records,
    secret_of,
)
from segc.sessions.sources.wireguard import Peer
from tests.netns.firm import documented

NOW = 1_790_000_000.0


# -- OpenVPN -----------------------------------------------------------------------------------------

STATUS = """\
TITLE\tOpenVPN 2.6.14
TIME\t2026-11-23 06:58:02\t1795417082
HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tUsername\tClient ID
CLIENT_LIST\tana, the first\t192.0.2.2:35638\t10.8.0.2\t2001:db8:8::1000\tUNDEF\t0
CLIENT_LIST\tbo\t192.0.2.3:35638\t10.8.0.3\t\tUNDEF\t7
CLIENT_LIST\tjust dialling\t192.0.2.4:35638\t\t\tUNDEF\t8
CLIENT_LIST\trefused\t192.0.2.5:35638\t10.8.0.4\t\tUNDEF\t9
HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref
ROUTING_TABLE\t10.8.0.2\tana\t192.0.2.2:35638\t2026-11-23 06:58:01
ROUTING_TABLE\t2001:db8:8::1000\tana\t192.0.2.2:35638\t2026-11-23 06:58:01
ROUTING_TABLE\t10.8.0.3\tbo\t192.0.2.3:35638\t2026-11-23 06:58:01
ROUTING_TABLE\t10.8.0.4\tformer\t192.0.2.6:35638\t2026-11-23 06:58:01
"""
ANA = Client("0", ("10.8.0.2", "2001:db8:8::1000"))
BO = Client("7", ("10.8.0.3",))


def test_clients_of_openvpn() -> None:
    assert list(clients(STATUS.splitlines())) == [ANA, BO, Client("9", (), ("10.8.0.4",))]


def test_a_client_whose_address_openvpn_has_not_learned_has_no_session() -> None:
    """One of before stands there, perhaps another's: it ends, and who may send nothing is sent away."""
    here, suspects = list(clients(STATUS.splitlines())), dict[Client, int]()
    steps, suspects = compare(here, ["10.8.0.2", "10.8.0.3", "10.8.0.4"], suspects, NOW)
    assert (steps.kill, [each["id"] for each in steps.requests]) == ((), ["10.8.0.4"])
    steps, suspects = compare(here, ["10.8.0.2", "10.8.0.3"], suspects, NOW)
    assert steps.kill == ("9",)


def test_a_client_without_a_session_is_sent_away_once() -> None:
    suspects: dict[Client, int] = {}
    killed = []
    for _ in range(4):
        steps, suspects = compare([ANA, BO], ["10.8.0.2"], suspects, NOW)
        killed.append(steps.kill)
    assert killed == [(), ("7",), (), ()]
    steps, suspects = compare([BO], ["10.8.0.3"], suspects, NOW)
    assert suspects == {}


def test_a_session_without_a_client_ends() -> None:
    steps, _ = compare([BO], ["10.8.0.3", "10.8.0.2"], {}, NOW)
    assert steps.requests == ({"do": "unbind", "id": "10.8.0.2", "at": NOW},)


@pytest.mark.parametrize("taken", [True, False])
def test_who_lacks_one_of_two_addresses_is_sent_away_once_the_agent_would_take_it(
    taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when OpenVPN asked; where it refuses now as well, that is for the policy to say."""
    asked: list[Any] = []
    standing = {"id": "10.8.0.2", "user": "ana", "device": None}

    def agent(path: Path, request: Any) -> Any:
        asked.append(request)
        return {"ok": taken or request["do"] == "sessions", "sessions": [standing]}

    monkeypatch.setattr("segc.sessions.sources.link.ask", agent)
    management, killed = openvpn.Management.__new__(openvpn.Management), list[str]()
    source = openvpn.Source(Link(Path("nowhere")), "hq", {"user": "username", "mfa": ""}, management)
    half = Client("0", ("10.8.0.2",), ("2001:db8:8::1000",))
    for _ in range(2):
        killed += source._halved([half, BO], {"10.8.0.2"})
    claim = asked[-1]
    assert [each["do"] for each in asked] == ["sessions", "bind"]
    assert (claim["user"], claim["addresses"], claim["mfa"]) == ("ana", ["2001:db8:8::1000"], True)
    assert killed == ["0"] * taken


def test_notifications_of_clients() -> None:
    env = {"common_name": "ana", "ifconfig_pool_remote_ip": "10.8.0.2", "password": "planted"}
    (claim,) = requests(Event("ADDRESS", ("0", "10.8.0.2", "1"), env), {}, NOW)
    assert (claim["do"], claim["user"], claim["id"]) == ("bind", "ana", "10.8.0.2")
    assert "planted" not in json.dumps(claim)
    assert [each["do"] for each in requests(Event("DISCONNECT", ("0",), env), {}, NOW)] == ["unbind"]
    assert list(requests(Event("ESTABLISHED", ("0",), env), {}, NOW)) == []
    assert list(requests(Event("ADDRESS", ("0", "10.9.0.0/24", "0"), env), {}, NOW)) == []


# -- WireGuard ---------------------------------------------------------------------------------------

WHO = {"key": Identity("ana", "laptop-17")}


def told(peer: Peer, known: dict[str, Peer], now: float = NOW) -> list[Any]:
    return [
        (request["do"], request.get("at"))
        for request, _, _ in wireguard.requests([peer], WHO, known, {}, now)
    ]


def test_a_handshake_is_told_once() -> None:
    peer = Peer("key", NOW - 10, ("10.9.0.2",), WHO["key"])
    ((request, key, then),) = wireguard.requests([peer], WHO, {}, {}, NOW)
    assert (request["user"], request["device"], request["ttl"]) == ("ana", "laptop-17", 180)
    assert (key, then) == ("key", peer)
    assert told(peer, {"key": peer}) == []
    assert told(peer._replace(handshake=NOW), {"key": peer}) == [("bind", NOW)]


def test_an_old_handshake_is_told_as_of_when_it_was() -> None:
    """So that telling it again opens nothing that has been ended since."""
    assert told(Peer("key", NOW - 100, ("10.9.0.2",)), {}) == [("bind", NOW - 100)]


def test_addresses_that_change_are_told_as_of_now() -> None:
    peer = Peer("key", NOW - 100, ("10.9.0.2",), WHO["key"])
    moved = peer._replace(addresses=("10.9.0.3",))
    assert told(moved, {"key": peer}) == [("bind", NOW)]
    ((request, _, _),) = wireguard.requests([moved], WHO, {"key": peer}, {}, NOW)
    assert request["ttl"] == 80
    handed_on = {"key": peer._replace(owner=Identity("bo"))}
    assert told(peer, handed_on) == [("bind", NOW)]


@pytest.mark.parametrize(
    "peer",
    [
        Peer("key", 0.0, ("10.9.0.2",)),
        Peer("key", NOW - 180, ("10.9.0.2",)),
        Peer("key", NOW, ()),
        Peer("stranger", NOW, ("10.9.0.2",)),
    ],
)
def test_who_has_not_shaken_hands_is_nobody(peer: Peer) -> None:
    assert told(peer, {}) == []


def test_a_peer_that_is_gone_is_unbound() -> None:
    known = {"key": Peer("key", NOW, ("10.9.0.2",))}
    ((request, key, then),) = wireguard.requests([], WHO, known, {}, NOW)
    assert (request, key, then) == ({"do": "unbind", "id": "key", "at": NOW}, "key", None)


def test_identities(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_text("# whose\n\nkey1 ana@x laptop-17\nkey2\tbo@x # home\n")
    assert read_identities(path) == {"key1": Identity("ana@x", "laptop-17"), "key2": Identity("bo@x")}
    for text, words in (
        ("key1\n", "peers:1"),
        ("a b\na c\n", "peers:2: a second line"),
        ("a b c d\n", "peers:1"),
    ):
        path.write_text(text)
        with pytest.raises(IdentitiesError, match=words):
            read_identities(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(IdentitiesError, match="not text"):
        read_identities(path)
    with pytest.raises(IdentitiesError, match="No such file"):
        read_identities(tmp_path / "none")


# -- RADIUS ------------------------------------------------------------------------------------------


def attribute(number: int, value: bytes) -> bytes:
    return bytes((number, 2 + len(value))) + value


def packet(*attributes: bytes, secret: bytes = b"s3cret", code: int = 4) -> bytes:
    body = b"".join(attributes)
    head = struct.pack("!BBH", code, 7, 20 + len(body))
    return head + md5(head + bytes(16) + body + secret).digest() + body


def test_attributes_of_an_accounting_request() -> None:
    found = decode(
        packet(
            attribute(1, "ana é".encode()),
            attribute(40, b"\0\0\0\1"),
            attribute(8, b"\x0a\1\0\6"),
            attribute(168, bytes.fromhex("20010db8" + "0" * 22 + "06")),
            attribute(97, b"\0\x40" + bytes.fromhex("20010db800010000")),
            attribute(55, (1000).to_bytes(4, "big")),
            attribute(26, b"vendor's"),
            attribute(44, b"\xff"),
            attribute(27, b"\1"),
        ),
        b"s3cret",
    )
    assert found == {
        "User-Name": "ana é",
        "Acct-Status-Type": "Start",
        "Framed-IP-Address": "10.1.0.6",
        "Framed-IPv6-Address": "2001:db8::6",
        "Framed-IPv6-Prefix": "2001:db8:1::/64",
        "Event-Timestamp": "1000",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\4\1\0\x14",
        packet(secret=b"other"),
        packet(code=1),
        packet()[:-1],
        packet(attribute(1, b"ana"))[:-1] + b"b",
        packet(b"\1\0"),
        packet(b"\1\1"),
        packet(b"\1\x40a"),
        packet(b"\1"),
    ],
)
def test_what_is_no_request_of_ours_is_dropped(data: bytes) -> None:
    with pytest.raises(DroppedError) as caught:
        decode(data, b"s3cret")
    assert "s3cret" not in str(caught.value)


def test_bytes_behind_a_packet_are_padding() -> None:
    assert decode(packet(attribute(1, b"ana")) + b"\0\0", b"s3cret") == {"User-Name": "ana"}


def test_an_answer_is_signed() -> None:
    """RFC 2866, section 3: MD5(code + identifier + length + request authenticator + attributes + secret)."""
    request = packet()
    found = answer(request, b"s3cret")
    assert found[:4] == b"\5\7\0\x14"
    assert found[4:] == md5(b"\5\7\0\x14" + request[4:20] + b"s3cret").digest()


def test_access_servers_by_the_longest_prefix() -> None:
    servers = access_servers("# ours\n10.0.0.0/8 wide\n10.1.0.0/16 \t narrow one \n2001:db8::/32 six\n\n")
    assert secret_of("10.1.0.2", servers) == b"narrow one"
    assert secret_of("10.2.0.2", servers) == b"wide"
    assert secret_of(radius.plain("::ffff:10.2.0.2"), servers) == b"wide"
    assert radius.plain("2001:db8::1") == "2001:db8::1"
    assert secret_of("2001:db8::1", servers) == b"six"
    with pytest.raises(DroppedError):
        secret_of("192.0.2.1", servers)
    assert "narrow" not in repr(servers)


@pytest.mark.parametrize(
    "text", ["10.1.0.0/16", "planted 10.1.0.0/16", "10.1.0.1/16 planted", "10.0.0.0/8 \t"]
)
def test_access_servers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 2 (does not say|has an address)") as caught:
        access_servers(f"10.9.0.0/16 x\n{text}\n")
    assert "planted" not in str(caught.value)


DETAIL = """\
Mon Nov 23 07:02:43 2026
\tUser-Name = "ana \\"x\\" $HOME é@acme.example"
\tAcct-Status-Type = Start
\tEvent-Timestamp = "Nov 23 2026 07:00:00 UTC"
\tTimestamp = 1795417363

Mon Nov 23 07:02:44 2026
\tAcct-Status-Type = Stop
\tAcct-Delay-Time = 4
\tTimestamp = 1795417364

"""


def test_who_floods_with_forged_packets_fills_no_log() -> None:
    told: list[str] = []
    server = radius.Server(Link(Path("nowhere"), told.append), "wifi", {}, access_servers("10.1.0.2 s"))
    for number in range(10_000):
        assert server.take(bytes(40), f"10.9.{number >> 8}.{number & 255}", NOW + number / 20_000) == b""
    assert told == ["dropped a packet from 10.9.0.0: 10.9.0.0 is no access server that we know"]
    assert server.take(bytes(40), "10.1.0.2", NOW + 2) == b""
    assert told[1:] == [
        "dropped a packet from 10.1.0.2: it is no Accounting-Request (and 9,999 others before it)"
    ]
    server.take(bytes(40), "10.1.0.2", NOW - 3600)
    assert len(told) == 3, "the clock was set back"


def test_records_of_a_detail_file() -> None:
    first, second = records(DETAIL)
    assert first["User-Name"] == 'ana "x" $HOME é@acme.example'
    assert happened(first) == "1795417200"
    assert happened(second) == "1795417360"
    assert list(records("")) == []
    assert list(records("nonsense\n\nmore = less\n")) == []


# -- DHCP --------------------------------------------------------------------------------------------

HEADER = (
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context"
)
MAC = "02:00:00:00:00:1e"


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def file(tmp_path: Path, text: str, name: str = "leases") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def news(path: Path, known: dict[str, dhcp.Lease | None] | None = None, who: Any = None) -> list[Any]:
    found = dhcp.requests(dhcp.read(path), known or {}, who, {}, NOW)
    return [(request["do"], request["id"], request.get("user"), request.get("ttl")) for request, _ in found]


def test_kea_the_last_line_of_an_address_counts(tmp_path: Path) -> None:
    end = int(NOW) + 60
    path = file(
        tmp_path,
        lines(
            f"10.5.0.50,{MAC},,120,{end - 60},1,0,0,,0,",
            f"10.5.0.50,{MAC},,120,{end},1,0,0,,0,",
            f"10.5.0.51,{MAC},,0,{end},1,0,0,,0,",  # released
            f"10.5.0.52,{MAC},,120,{end},1,0,0,,1,",  # declined
            f"10.5.0.53,{MAC},,120,{int(NOW) - 1},1,0,0,,0,",  # expired
            f"10.5.0.54,,,120,{end},1,0,0,,0,",  # without a MAC address
            "10.5.0.55,02:00",  # torn
        ),
    )
    assert news(path) == [("bind", "10.5.0.50", MAC, 120)]
    known = dict(dhcp.read(path)) | {"10.5.0.51": None, "10.5.0.99": None}
    assert sorted(news(path, known)) == [
        ("unbind", "10.5.0.51", None, None),
        ("unbind", "10.5.0.99", None, None),
    ]


def test_kea_s_clients_call_themselves_what_they_like(tmp_path: Path) -> None:
    """It quotes nothing, so a quote hides no other lease, and what looks like the end of a line is none."""
    end = int(NOW) + 60
    names = ('"', "a\x0bb", "a\u2028b", "a\rb", "'", "\0")
    rows = [f"10.5.0.5{n},{MAC},,120,{end},1,0,0,{name},0," for n, name in enumerate(names)]
    path = tmp_path / "leases"
    path.write_bytes(lines(*rows).encode())
    assert [each[:2] for each in news(path)] == [("bind", f"10.5.0.5{n}") for n in range(len(names))]
    path.write_bytes(lines(*rows).replace("\n", "\r\n").encode())
    assert len(news(path)) == len(names)


def test_kea_while_it_cleans_up(tmp_path: Path) -> None:
    end = int(NOW) + 60
    path = file(tmp_path, lines(f"10.5.0.51,{MAC},,0,{end},1,0,0,,0,"))
    file(tmp_path, lines(f"10.5.0.50,{MAC},,120,{end},1,0,0,,0,"), "leases.2")
    file(tmp_path, lines(f"10.5.0.51,{MAC},,120,{end},1,0,0,,0,"), "leases.1")
    assert news(path) == [("bind", "10.5.0.50", MAC, 120)]
    file(tmp_path, lines(f"10.5.0.60,{MAC},,120,{end},1,0,0,,0,"), "leases.completed")
    assert news(path) == [("bind", "10.5.0.60", MAC, 120)]


def test_dnsmasqs_file(tmp_path: Path) -> None:
    end = int(NOW) + 60
    rows = (
        f"{end} {MAC} 10.5.0.50 printer 01:{MAC}",
        "0 02:00:00:00:00:1f 10.5.0.51 * *",
        "duid 00:01:00:01:2a",
        f"{end} 7 2001:db8::5 host 00:01",
        f"1 {MAC} 10.5.0.52 * *",
    )
    path = file(tmp_path, "\n".join(rows))
    assert [each[1] for each in news(path)] == ["10.5.0.50", "10.5.0.51"]
    who = {MAC: Identity("printer-3", "p3")}
    assert news(path, who=who) == [("bind", "10.5.0.50", "printer-3", 60)]
    former = dict.fromkeys(["10.5.0.50", "10.5.0.51"])
    assert news(path, former, {"02:00:00:00:00:99": Identity("x")}) == [
        ("unbind", "10.5.0.50", None, None),
        ("unbind", "10.5.0.51", None, None),
    ]  # these addresses are somebody else's now
    assert news(file(tmp_path, ""), {"10.5.0.50": None}) == [("unbind", "10.5.0.50", None, None)]


# -- posture -----------------------------------------------------------------------------------------

REPORT = {"device": "laptop-17", "time": NOW - 100, "facts": {"disk_encrypted": True, "os_version": "14.5"}}


def test_a_report_is_believed_until_it_is_old() -> None:
    found = posture.request(REPORT, 3600, NOW)
    assert found == {
        "do": "facts",
        "device": "laptop-17",
        "facts": REPORT["facts"],
        "at": NOW - 100,
        "ttl": 3600,
    }
    iso = posture.request({**REPORT, "time": "2026-09-21T14:13:20+00:00"}, 3600, NOW + 10)
    assert iso["at"] == NOW


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({**REPORT, "time": NOW - 3600}, "old"),
        ({**REPORT, "time": None}, "no `time`"),
        ({**REPORT, "time": True}, "no `time`"),
        ({**REPORT, "time": 10**400}, "no `time`"),
        ({**REPORT, "time": float("nan")}, "no `time`"),
        ({**REPORT, "time": "2026-09-21 13:46:40"}, "no `time`"),
        ({**REPORT, "time": "yesterday"}, "no `time`"),
        ({**REPORT, "facts": []}, "no object `facts`"),
        ({**REPORT, "time": NOW + 301}, "its clock is wrong"),
        ({**REPORT, "device": "x\nstandard input: all is well"}, "printable"),
        ({**REPORT, "device": "\ud800"}, "printable"),
        ({"facts": {}}, "needs a `device`"),
        ([], "needs a `device`"),
        ("text", "needs a `device`"),
    ],
)
def test_what_is_no_report_says_nothing(report: object, words: str) -> None:
    with pytest.raises(posture.FeedError, match=words):
        posture.request(report, 3600, NOW)


def test_the_documented_report() -> None:
    (report,) = posture.reports(documented("json"))
    assert posture.request(report, 3600, report_time := 1795417200.0)["at"] == report_time


def test_feeds_of_any_shape() -> None:
    one = json.dumps(REPORT)
    assert list(posture.reports(one)) == [REPORT]
    assert list(posture.reports(f"[{one}, {one}]")) == [REPORT, REPORT]
    assert list(posture.reports(f"{one}\n\n{one}\n")) == [REPORT, REPORT]
    assert list(posture.reports(json.dumps(REPORT, indent=2))) == [REPORT]
    assert list(posture.reports("")) == []
    with pytest.raises(posture.FeedError, match="a line of it is no JSON"):
        posture.request(list(posture.reports(f"{one}\nnonsense\n"))[1], 3600, NOW)
    with pytest.raises(posture.FeedError):
        list(posture.reports("[" * 100_000))


def test_a_line_that_is_cut_off_hides_no_other() -> None:
    """Behind it a disk may be told of that is not encrypted any more."""
    one = json.dumps(REPORT)
    first, error, last = posture.reports(f"{one}\n{one[:-9]}\n{one[:-8]}\n{one}\n")
    assert (first, last) == (REPORT, REPORT)
    assert isinstance(error, posture.FeedError)


def test_radius_needs_a_time_near_ours() -> None:
    radius.timely({"Event-Timestamp": str(int(NOW) - 299)}, NOW)
    radius.timely({"Event-Timestamp": str(int(NOW) + 299)}, NOW)
    for pairs in ({}, {"Event-Timestamp": str(int(NOW) - 301)}, {"Event-Timestamp": str(int(NOW) + 301)}):
        with pytest.raises(DroppedError):
            radius.timely(pairs, NOW)


# -- for ever ----------------------------------------------------------------------------------------


def test_a_report_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    """An editor's lock is a link that leads nowhere."""
    told: list[str] = []
    (tmp_path / ".#b.json").symlink_to("nowhere")
    (tmp_path / "a.json").mkdir()
    (tmp_path / "b.json").write_text("nonsense")
    source = posture.Source(Link(tmp_path / "socket", told.append), "fleet")
    for _ in range(3):
        source._look(tmp_path)
    assert told == [
        f"`{tmp_path}/.#b.json`: No such file or directory",
        f"`{tmp_path}/a.json`: Is a directory",
        f"{tmp_path}/b.json: it is no JSON: expecting value",
    ]


def test_what_fails_later_is_told_once_and_tried_again() -> None:
    outcomes = iter(
        [
            None,
            OSError("gone"),
            OSError("gone"),
            IdentitiesError("odd"),
            FileNotFoundError(2, "No such file", "feed.json"),
            None,
            KeyboardInterrupt(),
        ]
    )
    told: list[str] = []

    def work() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    link = Link(Path("/nonexistent"), told.append)
    with pytest.raises(KeyboardInterrupt):
        link.again(work, 0)
    assert told == ["gone", "odd", "`feed.json`: No such file"]
    with pytest.raises(StopIteration):
        link.again(work, 0)


def test_what_fails_at_first_is_an_error() -> None:
    def work() -> None:
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        Link(Path("/nonexistent")).again(work, 0)


def test_without_an_agent_nothing_is_taken_for_told(tmp_path: Path) -> None:
    told: list[str] = []
    path = file(tmp_path, f"0 {MAC} 10.5.0.51 * *\n")
    source = dhcp.Source(Link(tmp_path / "socket", told.append), "lan", {}, path)
    source.round(NOW)
    source.round(NOW)
    assert len(told) == 1
    assert "is `segc agent` running?" in told[0]
    assert source._known == {}


class Told(Link):
    """An agent that takes everything."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
        self.asked: list[str] = []

    def ask(self, request: Any) -> Any:
        self.asked.append(request["do"])
        return {"ok": True}


LEASES = f"0 {MAC} 10.5.0.51 * *\n0 02:00:00:00:00:02 10.5.0.52 * *\n"
HEADED = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"
ROW = f"10.5.0.51,{MAC},,120,{int(NOW) + 60},1,0,0,,0\n"


@pytest.mark.parametrize(
    ("before", "seen", "after", "ended"),
    [
        (LEASES, "", LEASES, 0),
        (LEASES, LEASES[:40], LEASES, 0),
        (LEASES, "", LEASES[:40], 0),
        (LEASES, "", None, 0),
        (LEASES, "", "", 2),
        (LEASES, LEASES[:40], LEASES[:40], 1),
        (HEADED + ROW, HEADED, HEADED, 1),
    ],
)
def test_leases_are_gone_when_two_looks_in_a_row_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, seen: str, after: str | None, ended: int
) -> None:
    path = file(tmp_path, before)
    link = Told()
    source = dhcp.Source(link, "lan", {}, path)
    source.round(NOW)
    path.write_text(seen)
    monkeypatch.setattr(time, "sleep", lambda _: path.unlink() if after is None else path.write_text(after))
    source.round(NOW)
    assert link.asked.count("unbind") == ended
    if not ended:
        path.write_text(before)
        source.round(NOW)
        assert "unbind" not in link.asked


def test_keas_file_is_empty_when_it_has_just_put_the_full_one_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, HEADED + ROW)
    link = Told()
    source = dhcp.Source(link, "lan", {}, path)
    source.round(NOW)
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()
    monkeypatch.setattr(time, "sleep", lambda _: path.write_text(HEADED))
    source.round(NOW)
    source.round(NOW)
    assert link.asked == ["bind"]


def test_devices_are_left_out_when_two_looks_in_a_row_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, devices = file(tmp_path, LEASES), tmp_path / "devices"
    devices.write_text(f"{MAC} printer\n")
    link = Told()
    source = dhcp.Source(link, "lan", {}, path, devices)
    source.round(NOW)
    devices.write_text("")
    monkeypatch.setattr(time, "sleep", lambda _: devices.write_text(f"{MAC} printer\n"))
    source.round(NOW)
    assert link.asked == ["bind"]
