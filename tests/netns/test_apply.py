"""`segc apply` on a gateway in a namespace: packets say what stands, before, after, and back again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from segc.apply.conntrack import connections
from segc.apply.errors import RolledBackError
from tests.netns.applying import Host
from tests.netns.namespace import nft, run, sysctl
from tests.netns.policy import counter, wait_a_moment

SCHEMAS = Path(__file__).parents[2] / "segc/schemas"
WEB = "allow as web a -> b : tcp/443"
MORE = (
    f"{WEB}\nallow as mail a -> c : tcp/25, tcp/100-200\nallow as staff-only group staff in a -> c : tcp/443"
)
LESS = "allow as mail a -> c : tcp/25"
DENIED = f"{WEB}\ndeny as closed a.one -> b : tcp/443"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


def test_packets_agree_with_every_generation(host: Host) -> None:
    host.apply(WEB)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 no")
    host.apply(MORE)
    host.check(
        "a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 yes\na.5 -> c.7 : tcp/150 yes\na.5 -> c.7 : tcp/443 no"
    )
    host.apply(DENIED)
    host.check("a.5 -> b.7 : tcp/443 yes\na.11 -> b.7 : tcp/443 no\na.5 -> c.7 : tcp/25 no")
    assert host.segc("rollback").returncode == 0
    host.now(MORE)
    host.check("a.11 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 yes")
    assert host.segc("rollback", "1").returncode == 0
    host.now(WEB)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 no")
    assert host.standing() == (5, 5, None)
    assert host.marker() == (5,)


def test_nothing_is_touched_where_nothing_differs(host: Host) -> None:
    host.apply(MORE)
    before = host.transactions()
    assert "nothing to do" in host.apply(MORE)
    assert "nothing to do" in host.apply(f"# a remark, which moves every line\n{MORE}")
    assert host.transactions() == before
    assert host.standing() == (1, 1, None)


def test_status_speaks_of_people_where_a_flow_asks_for_them(host: Host) -> None:
    host.apply(WEB)
    assert "agent" not in host.segc("status").stdout
    host.apply(MORE)
    assert "no session agent answers" in host.segc("status").stdout


def test_a_generation_of_links_alone_is_known_by_its_number_as_well(host: Host) -> None:
    host.apply(WEB)
    run(host.gateway.namespace, ["ip", "link", "set", "a0", "down"])
    told = host.apply(WEB)
    assert "bring a0 up" in told
    assert host.marker() == (2,)
    assert "nothing to do" in host.apply(WEB)


def test_counters_sessions_and_other_tables_stay(host: Host) -> None:
    host.inside(lambda: nft("table inet other { chain c { type filter hook input priority 5\n}\n}"))
    host.apply(MORE)
    host.bind("a.5", "ana@x.example", timeout="1h")
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/443 yes")
    assert host.count("web") == 2
    host.apply(f"{MORE}\nallow as new b -> c : tcp/5000-5010, tcp/22")
    host.check("b.5 -> c.7 : tcp/5003 yes\na.5 -> c.7 : tcp/443 yes")
    assert host.count("web") == 2
    assert "10.1.0.5 timeout 1h expires 59m" in host.nft("list", "table", "inet", "segc")
    assert "table inet other" in host.nft("list", "tables")


def test_what_cannot_be_changed_in_place_keeps_counters_and_sessions_too(host: Host) -> None:
    host.apply(f"{MORE}\nallow as slow b -> c : udp/5 limit 10/second")
    host.bind("a.5", "ana@x.example", timeout="1h")
    host.check("a.5 -> b.7 : tcp/443 yes")
    host.apply(f"{MORE}\nallow as slow b -> c : udp/5 limit 20/second")
    host.check("b.5 -> c.7 : udp/5 yes\na.5 -> c.7 : tcp/443 yes\na.5 -> b.7 : tcp/443 yes")
    assert host.count("web") == 4
    assert "rate 20/second" in host.nft("list", "limits")


def test_connections_that_are_not_allowed_any_more_end_and_others_go_on(host: Host) -> None:
    host.apply(f"{MORE}\nallow as log a -> b : udp/514")
    web, mail = host.talk("a.5", "b.7", 4, "tcp", 443), host.talk("a.5", "c.7", 6, "tcp", 25)
    log, echo = host.talk("a.5", "b.7", 4, "udp", 514), host.talk("a.5", "c.7", 4, "tcp", 150)
    assert all((web.open(), mail.open(), echo.open(), log.to_server(), log.to_client()))
    told = host.apply(LESS)
    assert "end 3 connections" in told
    assert all((mail.to_server(), mail.to_client()))
    assert not any((web.to_server(), web.to_client(), log.to_client(), echo.to_client()))


def test_a_connection_under_a_new_deny_ends(host: Host) -> None:
    host.apply(WEB)
    one, other = host.talk("a.11", "b.7", 4, "tcp", 443), host.talk("a.12", "b.7", 4, "tcp", 443)
    assert all((one.open(), other.open()))
    host.apply(DENIED)
    assert not one.to_client()
    assert other.to_client()


@pytest.mark.parametrize("before", [MORE, WEB], ids=["with labels", "without labels"])
def test_what_may_not_be_allowed_for_ever_any_more_is_asked_again(host: Host, before: str) -> None:
    """Connections from before it end like others; where no ruleset knew labels, they have to begin anew."""
    host.apply(before, strict=False)
    sessions = "allow as staff-only group staff in a -> c : tcp/443"
    talks = {name: host.talk(name, "b.7", 4, "tcp", 443) for name in ("a.5", "a.6", "a.11")}
    assert all(talk.open() for talk in talks.values())
    told = host.apply(
        f"{sessions}\nallow as web a -> b : tcp/443\ndeny as shut group chiefs in a -> b : tcp/443",
        strict=False,
    )
    assert ("end 3 connections" in told) == (before == WEB)
    assert all(talk.to_server() and talk.to_client() for talk in talks.values())
    host.bind("a.5", "cy@x.example")
    wait_a_moment()
    assert not talks["a.5"].to_client()
    assert talks["a.6"].to_client()
    host.apply(
        f"{sessions}\nallow as web a except a.one -> b : tcp/443\nallow a.one -> b : tcp/443 when daily",
        strict=False,
    )
    assert all(talk.to_server() and talk.to_client() for talk in talks.values())
    labels = host.inside(lambda: {str(each.source): each.has_label(119) for each in connections()})
    assert labels == {"10.1.0.5": False, "10.1.0.6": False, "10.1.0.11": True}


SHUT = "deny as shut group chiefs in a -> b : tcp/443"
HOURS = "when daily 00:00-24:00"
BOUND = "allow as bound group staff in a -> b : tcp/443"
OTHERS = "allow as others group staff in a -> c : tcp/443"
CHIEFS = OTHERS.replace("staff", "chiefs")
EXCEPT = "allow as web a except group chiefs -> b : tcp/443"
EXEMPT = f"{WEB}\ndeny as exempt a except group staff -> b : tcp/443"


@pytest.mark.parametrize(
    ("before", "after", "user", "then", "goes_on"),
    [
        (f"{WEB} {HOURS}", f"{WEB}\n{SHUT}", "", "cy", False),
        (f"{WEB} {HOURS}", f"{WEB}\nallow a -> c : tcp/80 {HOURS}", "", "", True),
        (f"{WEB}\n{OTHERS}", f"{EXCEPT}\n{OTHERS}", "", "cy", False),
        (f"{WEB}\n{CHIEFS}", f"{EXCEPT}\n{CHIEFS}", "cy", "", False),
        (f"{WEB}\n{OTHERS}", f"{EXCEPT}\n{OTHERS}", "ana", "", True),
        (EXEMPT, f"{EXEMPT}\n{OTHERS}", "ana", "", True),
        (EXEMPT, f"{EXEMPT}\n{OTHERS}", "ana", "di", False),
        (f"{WEB}\n{OTHERS}", EXEMPT, "ana", "", True),
        (f"{WEB}\n{OTHERS}", EXEMPT, "", "", False),
        (BOUND, f"{SHUT}\nallow a -> c : tcp/443", "ana", "", False),
        (BOUND, f"staged {BOUND}\nallow a -> c : tcp/443", "ana", "", False),
        (BOUND, f"{BOUND}\ndeny a except group staff -> b : tcp/443", "ana", "", True),
    ],
)  # fmt: skip
def test_what_stands_is_judged_by_who_is_there(
    host: Host, before: str, after: str, user: str, then: str, goes_on: bool
) -> None:
    """Labels from before are none of the new policy's, and what hangs on a session is left to the kernel."""
    host.apply(before, strict=False)
    if user:
        host.bind("a.5", f"{user}@x.example")
    talk = host.talk("a.5", "b.7", 4, "tcp", 443)
    assert talk.open()
    host.apply(after, strict=False)
    if then:
        assert talk.to_client()
        host.unbind("a.5") if user else None
        host.bind("a.5", f"{then}@x.example")
    wait_a_moment()
    assert (talk.to_client(), talk.to_server()) == (goes_on, goes_on)


def test_what_was_changed_by_hand_is_put_right_by_an_apply(host: Host) -> None:
    host.apply(MORE)
    host.check("a.5 -> b.7 : tcp/443 yes")
    host.inside(
        lambda: nft(
            "flush chain inet segc refuse\nadd chain inet segc mine\ndelete element inet segc allow_tcp "
            + first_element(host)
        )
    )
    told = host.apply(MORE)
    assert "changed by hand is put right" in told
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 yes\nb.5 -> a.7 : tcp/25 no")
    assert counter(host.gateway, "flow_web") == 4
    assert "chain mine" not in host.nft("list", "table", "inet", "segc")


def first_element(host: Host) -> str:
    text = host.nft("list", "map", "inet", "segc", "allow_tcp")
    return "{ " + text.partition("elements = {")[2].split(" comment", 1)[0].strip() + " }"


def test_a_table_that_somebody_flushed_is_brought_back(host: Host) -> None:
    host.apply(WEB)
    host.inside(lambda: nft("flush ruleset"))
    host.apply(WEB)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 no")
    assert host.marker() == (2,)


def test_a_table_loaded_by_hand_is_taken_over_and_brought_back(host: Host) -> None:
    host.now(WEB)
    host.inside(lambda: nft(host.compiled.ruleset()))
    before = host.nft("list", "table", "inet", "segc")
    told = host.apply(MORE, "--confirm", "1h")
    assert host.marker() == (1,)
    assert host.segc("rollback").returncode == 0, told
    assert host.nft("list", "table", "inet", "segc") == before
    assert host.standing() == (None, None, None)


def test_a_refused_ruleset_changes_nothing(host: Host) -> None:
    host.apply(WEB)
    wanted = host.wanted(MORE)
    spoilt = wanted.artifacts["ruleset.nft"].replace("tcp dport", "tcp dprot")
    before = host.nft("list", "table", "inet", "segc")
    with pytest.raises(RolledBackError, match="put back as it was"):
        host.apply_here(replace(wanted, artifacts={**wanted.artifacts, "ruleset.nft": spoilt + "nonsense"}))
    assert host.nft("list", "table", "inet", "segc") == before
    assert host.standing() == (1, 1, None)


def test_what_is_printed_for_programs_follows_its_schema(host: Host) -> None:
    def told(name: str, *arguments: str) -> Any:
        printed = json.loads(host.segc(*arguments, "--format", "json").stdout)
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(printed)
        return printed

    assert told("status", "status")["current"] is None
    assert told("history", "history") == {"generations": []}
    policy = host.write(WEB)
    assert told("apply", "apply", policy, "--why", "first")["generation"] == 1
    assert told("apply", "apply", policy) == {"node": "gw", "changed": False}
    assert told("apply", "apply", host.write(MORE), "--confirm", "1h")["confirm_within"] == 3600
    assert told("status", "status")["pending"] == 2
    host.segc("rollback")
    assert [each["state"] for each in told("history", "history")["generations"]] == ["undone", "confirmed"]
    assert told("verify", "verify")["drift"] is False
    host.inside(lambda: nft("add chain inet segc mine\nflush chain inet segc refuse"))
    assert told("verify", "verify")["changes"]


def test_nobody_is_locked_out_unless_it_is_meant(host: Host) -> None:
    """Also where sudo hides the connection, and once `manage` was there and is gone."""
    managed = host.policy(WEB).replace("interface a0", "manage from a : tcp/22\n  interface a0")
    path = host.folder / "managed.seg"
    path.write_text(managed)
    here = os.environ | {"SSH_CONNECTION": "10.1.0.9 50000 10.1.0.1 22"}
    before = host.transactions()
    done = host.segc("apply", host.write(WEB), **here)
    assert done.returncode == 4
    assert "error[SEG601]: your own connection, 10.1.0.9 to 10.1.0.1 tcp/22, would be cut" in done.stderr
    assert "somebody would be locked out; nothing was changed" in done.stderr
    assert (host.transactions(), host.standing()) == (before, (None, None, None))
    assert host.segc("apply", str(path), **here).returncode == 0
    done = host.segc("apply", host.write(WEB))
    assert done.returncode == 4
    assert "`a` can manage `gw` now, and could no longer" in done.stderr
    assert host.standing() == (1, 1, None)
    assert host.segc("apply", host.write(WEB), "--allow-lockout").returncode == 0
    assert host.segc("rollback", "1", **here).returncode == 0
    assert host.segc("rollback", "2", **here).returncode == 4


def test_nobody_is_locked_out_by_the_name_of_a_device(host: Host) -> None:
    """What a policy calls a device by is easily mistaken, and no packet of a zone passes by another one."""
    path = host.folder / "mistaken.seg"
    path.write_text(host.policy(WEB).replace("interface a0", "manage from a : tcp/22\n  interface lan7"))
    here = os.environ | {"SSH_CONNECTION": "10.1.0.9 50000 10.1.0.1 22"}
    done = host.segc("apply", str(path), **here)
    assert done.returncode == 4
    assert "your own connection comes in by `a0`, and would be cut" in done.stderr
    assert "zone `a` comes in by `lan7` only" in done.stderr
    done = host.segc("apply", str(path))
    assert done.returncode == 4
    assert "nobody could manage `gw`: there is no `lan7`" in done.stderr
    assert host.standing() == (None, None, None)
    assert "lan7 is not there: nothing would be set up on it" in host.segc("plan", str(path)).stderr
    for words in ("generation 1", "nothing to do"):
        done = host.segc("apply", str(path), "--allow-lockout")
        assert words in done.stdout
        assert "  lan7 is not there: nothing was set up on it\n" in done.stdout


def addresses(host: Host, device: str) -> list[str]:
    told = run(host.gateway.namespace, ["ip", "-4", "-json", "address", "show", "dev", device]).stdout
    links = json.loads(told)
    return [f"{each['local']}/{each['prefixlen']}" for link in links for each in link["addr_info"]]


def test_another_address_of_the_same_network(host: Host) -> None:
    """Unless told not to, the kernel takes all addresses of a network away with the first one."""
    host.inside(lambda: sysctl(ipv4__conf__a0__promote_secondaries=0, ipv4__conf__all__promote_secondaries=0))
    host.apply(WEB)
    host.gateway_text = host.gateway_text.replace("10.1.0.1/24", "10.1.0.2/24")
    host.apply(WEB, "--confirm", "1h")
    assert addresses(host, "a0") == ["10.1.0.2/24"]
    assert host.segc("rollback").returncode == 0
    assert addresses(host, "a0") == ["10.1.0.1/24"]
    run(host.gateway.namespace, ["ip", "-4", "address", "flush", "dev", "a0"])
    run(host.gateway.namespace, ["ip", "address", "add", "10.1.0.9/24", "dev", "a0"])
    assert host.segc("verify", "--heal").returncode == 0
    assert addresses(host, "a0") == ["10.1.0.1/24"]
    assert host.segc("verify").returncode == 0


def test_an_address_of_somebody_else_is_told_before_it_is_drift(host: Host) -> None:
    run(host.gateway.namespace, ["ip", "address", "add", "10.1.0.9/24", "dev", "a0"])
    told = host.apply(WEB)
    assert "the policy does not say so: `segc verify --heal` would take 10.1.0.9/24 off a0\n" in told
    assert "10.1.0.9/24" in addresses(host, "a0")
    run(host.gateway.namespace, ["ip", "address", "del", "10.1.0.9/24", "dev", "a0"])
    assert "does not say so" not in host.apply(MORE)


def by_ssh(host: Host, *arguments: str) -> str:
    """What a command prints that somebody types on a terminal from afar."""
    _, terminal = os.openpty()
    argv = [sys.executable, "-m", "segc", *arguments, *host.where]
    variables = {**os.environ, "SSH_CONNECTION": "192.0.2.9 50000 192.0.2.1 22"}
    done = subprocess.run(argv, capture_output=True, text=True, env=variables, stdin=terminal)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_who_works_from_afar_has_to_confirm(tmp_path: Path) -> None:
    with Host(folder=tmp_path) as host:
        assert "`segc confirm` within 60 s" in by_ssh(host, "apply", host.write("allow a -> b : tcp/443"))
        assert host.segc("confirm").returncode == 0
        by_ssh(host, "apply", host.write("allow a -> b : tcp/80"), "--no-confirm")
        assert host.standing() == (2, 2, None)
        assert "`segc confirm` within 60 s" in by_ssh(host, "rollback")
        assert host.standing() == (3, 2, 3)
        assert host.segc("rollback").returncode == 0
        by_ssh(host, "rollback", "1", "--no-confirm")
        assert host.standing()[2] is None
