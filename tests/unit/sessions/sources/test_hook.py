"""What servers' events say, whatever they look like; and that the hook needs nothing of segc."""

from __future__ import annotations

import getopt
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from segc.identity.kinds import KINDS
from segc.sessions.sources import SOURCES, hook, wiring
from segc.sessions.sources.hook import (
    Request,
    accounting,
    deliver,
    dnsmasq,
    lease,
    mac_address,
    openvpn,
    vouched,
)

AT = 1_790_000_000.0


def test_every_kind_that_vouches_by_itself_has_a_source() -> None:
    assert set(SOURCES) == KINDS.keys() - {"manual"}
    assert {kind for kind, _ in hook.EVENTS.values()} <= set(SOURCES)


@pytest.mark.parametrize(
    ("event", "do"),
    [
        (("add", "10.8.0.6", "ana"), "bind"),
        (("update", "2001:db8::6", "ana"), "bind"),
        (("delete", "10.8.0.6"), "unbind"),
        (("add", "10.8.0.0/24", "ana"), None),
        (("add", "2001:db8::/64", "ana"), None),
        (("add", "02:00:00:00:00:01", "ana"), None),
        (("add",), None),
        (("add", "10.8.0.6\0", "ana"), None),
        ((), None),
    ],
)
def test_openvpn_learns_addresses(event: tuple[str, ...], do: str | None) -> None:
    found = list(openvpn(event, {"common_name": "ana"}, {}, AT))
    assert [each["do"] for each in found] == ([do] if do else [])
    assert all(each["id"] == event[1] and each["at"] == AT for each in found)


def test_openvpn_names_user_and_device_by_what_it_is_told_to() -> None:
    env = {"common_name": "laptop-17", "username": "ana@acme.example", "X509_0_OU": "it", "IV_HWADDR": "lies"}
    options = {"user": "username", "device": "common_name", "ttl": "60"}
    (claim,) = openvpn(("add", "10.8.0.6", "laptop-17"), env, options, AT)
    assert (claim["user"], claim["device"], claim["ttl"]) == ("ana@acme.example", "laptop-17", 60)


def test_openvpns_disconnect_ends_both_addresses() -> None:
    env = {"script_type": "client-disconnect", "ifconfig_pool_remote_ip": "10.8.0.6"}
    assert [each["id"] for each in openvpn((), env, {}, AT)] == ["10.8.0.6"]
    env["ifconfig_pool_remote_ip6"] = "2001:db8::6"
    assert [each["id"] for each in openvpn((), env, {}, AT)] == ["10.8.0.6", "2001:db8::6"]


START = {"Acct-Status-Type": "Start", "Acct-Session-Id": "s1", "User-Name": "ana", "Event-Timestamp": "1000"}


def account(**pairs: str) -> list[Request]:
    found = {name.replace("_", "-"): value for name, value in pairs.items()}
    return list(accounting({**START, **found}, "10.1.0.2", {}, AT))


def test_a_session_is_ordered_within_a_second_and_begins_when_it_began() -> None:
    (start,) = account(Framed_IP_Address="10.1.0.6")
    late, renewal = account(
        Acct_Status_Type="Interim-Update",
        Framed_IP_Address="10.1.0.6",
        Acct_Session_Time="600",
        Event_Timestamp="1600",
    )
    (stop,) = account(Acct_Status_Type="Stop", Event_Timestamp="1000")
    assert (start["do"], start["at"], start["ttl"]) == ("bind", 1000.0, 1200)
    assert (late["do"], late["at"], late["ttl"]) == ("bind", 1000.0, 1800)
    assert (renewal["do"], renewal["addresses"], renewal["ttl"]) == ("renew", ["10.1.0.6"], 1200)
    assert start["at"] < stop["at"] < 1001
    assert {each["id"] for each in (start, late, renewal, stop)} == {"10.1.0.2/s1"}


def test_an_update_that_does_not_say_since_when_begins_nothing() -> None:
    (found,) = account(Acct_Status_Type="Interim-Update", Framed_IP_Address="10.1.0.6")
    assert (found["do"], found["addresses"]) == ("renew", ["10.1.0.6"])


@pytest.mark.parametrize(
    ("pairs", "ttl"),
    [
        ({}, 1200),
        ({"Acct_Interim_Interval": "60"}, 150),
        ({"Session_Timeout": "300"}, 300),
        ({"Session_Timeout": "3000"}, 1200),
        ({"Session_Timeout": "0"}, 1),
        ({"Session_Timeout": "90", "Acct_Interim_Interval": "60"}, 90),
    ],
)
def test_a_session_is_believed_as_long_as_it_is_told_of(pairs: dict[str, str], ttl: int) -> None:
    (claim,) = account(Framed_IP_Address="10.1.0.6", **pairs)
    assert claim["ttl"] == ttl


@pytest.mark.parametrize(
    ("pairs", "addresses"),
    [
        ({}, []),
        ({"Framed_IP_Address": "10.1.0.6"}, ["10.1.0.6"]),
        ({"Framed_IP_Address": "255.255.255.254"}, []),
        (
            {"Framed_IP_Address": "10.1.0.6", "Framed_IPv6_Address": "2001:db8::6"},
            ["10.1.0.6", "2001:db8::6"],
        ),
        ({"Framed_IPv6_Prefix": "2001:db8::6/128"}, ["2001:db8::6"]),
        ({"Framed_IPv6_Prefix": "2001:db8::/64"}, []),
        ({"Framed_IPv6_Prefix": "2001:db8::6/128", "Framed_IPv6_Address": "2001:db8::6"}, ["2001:db8::6"]),
        ({"Framed_IP_Address": "nonsense"}, []),
    ],
)
def test_only_whole_addresses_are_claimed(pairs: dict[str, str], addresses: list[str]) -> None:
    assert [each["addresses"] for each in account(**pairs)] == ([addresses] if addresses else [])


def test_accounting_that_says_nothing_is_nothing() -> None:
    assert account(Acct_Status_Type="Tunnel-Start", Framed_IP_Address="10.1.0.6") == []
    assert account(Acct_Session_Id="", Framed_IP_Address="10.1.0.6") == []
    assert account(Acct_Status_Type="") == []


def test_an_access_server_ends_its_own_sessions_only() -> None:
    (request,) = account(Acct_Status_Type="Accounting-Off")
    asked: list[Request] = []

    def agent(each: Request) -> Request:
        asked.append(each)
        return {"ok": True, "ended": 2}

    assert deliver(vouched(request, "radius", "wifi", {}), agent) == ""
    assert asked == [{"do": "unbind", "source": "wifi", "within": "10.1.0.2/", "at": 1000.0}]


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("AA-BB-CC-DD-EE-FF", "aa:bb:cc:dd:ee:ff"),
        ("aabb.ccdd.eeff", "aa:bb:cc:dd:ee:ff"),
        ("aabbccddeeff", "aa:bb:cc:dd:ee:ff"),
        ("AA-BB-CC-DD-EE-FF:Guests", "aa:bb:cc:dd:ee:ff"),
        ("AA-BB-CC-DD-EE", None),
        ("+49 30 123456", None),
        ("", None),
    ],
)
def test_mac_addresses_as_access_servers_write_them(text: str, mac: str | None) -> None:
    assert mac_address(text) == mac


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"ana"', "ana"),
        ("10.0.0.1", "10.0.0.1"),
        (r'"a\"b\\c"', 'a"b\\c'),
        (r'"\303"', "\303"),
        ('"', '"'),
        ('""', ""),
    ],
)
def test_freeradius_quotes(written: str, meant: str) -> None:
    assert hook.unquoted(written) == meant


def lines_of(*event: str, **env: str) -> list[Request]:
    return list(dnsmasq(event, env, {}, AT))


def test_dnsmasq_tells_of_leases() -> None:
    until = str(int(AT) + 90)
    (claim,) = lines_of("add", "02:00:00:00:00:1e", "10.5.0.50", DNSMASQ_LEASE_EXPIRES=until)
    assert (claim["user"], claim["mac"], claim["ttl"]) == ("02:00:00:00:00:1e", "02:00:00:00:00:1e", 90)
    (endless,) = lines_of("old", "02:00:00:00:00:1e", "10.5.0.50", DNSMASQ_LEASE_EXPIRES="0")
    assert endless["ttl"] == hook.FOREVER
    (six,) = lines_of(
        "add", "00:01:00:01", "2001:db8::5", DNSMASQ_LEASE_EXPIRES=until, DNSMASQ_MAC="02:00:00:00:00:1e"
    )
    assert six["mac"] == "02:00:00:00:00:1e"
    assert lines_of("add", "00:01:00:01", "2001:db8::5", DNSMASQ_LEASE_EXPIRES=until) == []
    assert [each["do"] for each in lines_of("del", "02:00:00:00:00:1e", "10.5.0.50")] == ["unbind"]
    assert lines_of("tftp", "123", "10.5.0.50", "/file") == []
    assert lines_of("add") == []


def test_dnsmasq_of_a_machine_without_a_clock_tells_how_long() -> None:
    """dnsmasq(8): built with HAVE_BROKEN_RTC, it does not know when a lease expires."""
    printer = ("02:00:00:00:00:1e", "10.5.0.50")
    (claim,) = lines_of("add", *printer, DNSMASQ_LEASE_LENGTH="600", DNSMASQ_TIME_REMAINING="600")
    assert claim["ttl"] == 600
    (claim,) = lines_of("old", *printer, DNSMASQ_LEASE_LENGTH="600", DNSMASQ_TIME_REMAINING="90")
    assert claim["ttl"] == 90
    (endless,) = lines_of("add", *printer, DNSMASQ_LEASE_LENGTH="4294967295", DNSMASQ_TIME_REMAINING="7")
    assert endless["ttl"] == hook.FOREVER
    assert [each["do"] for each in lines_of("add", *printer)] == ["unbind"], "it does not say"


def test_options_bound_a_lease() -> None:
    (claim,) = lease("10.5.0.50", "02:00:00:00:00:1e", 3600, AT, {"ttl": "60"}, ("printer-3", None))
    assert (claim["user"], claim["device"], claim["ttl"]) == ("printer-3", None, 60)


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-IS", hook.__file__, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, env=dict(env or {}), cwd="/")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which server calls"),
        (("cisco", "hq"), "say which server calls"),
        (("--frob", "openvpn", "hq"), "frob"),
        (("openvpn", "hq", "add", "10.8.0.6", "ana"), "cannot be reached"),
        (("--socket", "/nonexistent", "openvpn", "hq", "add", "10.8.0.6", "--mfa"), "cannot be reached"),
        (("--ttl", "soon", "openvpn", "hq", "add", "10.8.0.6"), "`--ttl` takes"),
        (("dnsmasq", "lan", "add", "02:00:00:00:00:1e", "10.5.0.50"), "a number in the event is none"),
    ],
)
def test_the_hook_fails_in_words(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments, env={"common_name": "ana", "DNSMASQ_LEASE_EXPIRES": "soon"})
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_hook_has_nothing_to_say_of_what_is_nobodys() -> None:
    assert run("openvpn", "hq", "add", "10.8.0.0/24", "ana").returncode == 0


@pytest.mark.parametrize("server", hook.EVENTS)
def test_a_configuration_names_the_hook(server: str) -> None:
    from pathlib import Path

    options: dict[str, Any] = {"device": "X509_0_OU", "mfa": ""}
    text = wiring.lines(server, "hq vpn", Path("/run/other.sock"), options)
    assert f"{hook.__file__} --socket /run/other.sock --device X509_0_OU --mfa {server} 'hq vpn'" in text


def test_options_after_the_name_are_refused_not_taken_for_an_event() -> None:
    with pytest.raises(getopt.GetoptError, match="options such as `--socket` come before `openvpn`"):
        hook.main(
            ["openvpn", "hq", "--socket", "/none", "add", "10.8.0.6", "ana"], {"common_name": "ana"}, 1000.0
        )


@pytest.mark.parametrize("option", ["--user", "--device"])
@pytest.mark.parametrize("name", ["UV_NAME", "IV_HWADDR"])
def test_what_clients_say_of_themselves_names_nobody(option: str, name: str) -> None:
    env = {"common_name": "ana", name: "boss"}
    with pytest.raises(getopt.GetoptError, match=f"`{option} {name}` is what clients say of themselves"):
        hook.main([option, name, "openvpn", "hq", "add", "10.8.0.6", "ana"], env, 1000.0)
