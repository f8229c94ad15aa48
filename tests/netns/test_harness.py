"""The harness against rulesets written by hand: it must see every packet, and blame the right one."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count, product

import pytest

from tests.netns import sockets
from tests.netns.harness import Gateway, InterfaceSpec, Probe, Verdict, run

INTERFACES = {
    "lan0.10": InterfaceSpec(["10.10.10.1/24", "2001:db8:10::1/64"]),
    "br0.20": InterfaceSpec(["10.10.20.1/24", "2001:db8:20::1/64"], routes=["10.9.0.0/16"]),
    "wan0": InterfaceSpec(["192.0.2.2/30", "2001:db8:ffff::2/64"], default=True),
}
LAN = {4: "10.10.10.7", 6: "2001:db8:10::7"}
SERVERS = {4: "10.10.20.9", 6: "2001:db8:20::9"}
WORLD = {4: "198.51.100.1", 6: "2600::1"}
SELF = {4: "10.10.10.1", 6: "2001:db8:10::1"}
ICMP = {4: "icmp", 6: "icmpv6"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(INTERFACES) as made:
        yield made


def chain(hook: str, *rules: str, policy: str = "drop", kind: str = "filter", priority: int = 0) -> str:
    body = "\n".join((f"type {kind} hook {hook} priority {priority}; policy {policy};", *rules))
    return f"table inet t {{\n chain c_{hook}_{kind} {{\n{body}\n}}\n}}\n"


def verdicts(gateway: Gateway, probes: list[Probe]) -> list[Verdict]:
    return [outcome.verdict for outcome in gateway.probe(probes)]


def to_server(family: int, protocol: int | str, value: int = 0) -> Probe:
    return Probe("lan0.10", LAN[family], SERVERS[family], protocol, value)


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_port_range_has_exact_edges(gateway: Gateway, family: int, protocol: str) -> None:
    gateway.load(chain("forward", f"{protocol} dport {{ 22, 8000-8100, 65535 }} accept"))
    ports = [0, 1, 21, 22, 23, 7999, 8000, 8100, 8101, 65534, 65535]
    outcomes = gateway.probe([to_server(family, protocol, port) for port in ports])
    passed = {port for port, outcome in zip(ports, outcomes, strict=True) if outcome.passed}
    assert passed == {22, 8000, 8100, 65535}
    assert {o.interface for o in outcomes if o.passed} == {"br0.20"}


@FAMILIES
def test_one_wrong_port_among_all_is_found(gateway: Gateway, family: int) -> None:
    gateway.load(chain("forward", "tcp dport { 22, 1000-1998, 30000-39999 } accept"))
    intended = {22, *range(1000, 2000), *range(30000, 40000)}
    ports = range(65536)
    outcomes = gateway.probe([to_server(family, "tcp", port) for port in ports])
    passed = {port for port, outcome in zip(ports, outcomes, strict=True) if outcome.passed}
    assert passed ^ intended == {1999}


@FAMILIES
@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("meta l4proto tcp reject with tcp reset", {4: "tcp reset", 6: "tcp reset"}),
        ("reject with icmpx type admin-prohibited", {4: "icmp 3/13", 6: "icmpv6 1/1"}),
        ("reject with icmpx type port-unreachable", {4: "icmp 3/3", 6: "icmpv6 1/4"}),
    ],
)
def test_every_refusal_comes_back(gateway: Gateway, family: int, rule: str, answer: dict[int, str]) -> None:
    gateway.load(chain("forward", "tcp dport 443 accept", rule))
    outcomes = gateway.probe([to_server(family, "tcp", port) for port in range(1, 3001)])
    refused = [outcome for outcome in outcomes if outcome.verdict is Verdict.REJECTED]
    assert len(refused) == 2999
    assert outcomes[442].verdict is Verdict.FORWARDED
    assert {(o.interface, o.answer) for o in refused} == {("lan0.10", answer[family])}


@FAMILIES
def test_refusals_of_every_protocol_are_matched(gateway: Gateway, family: int) -> None:
    gateway.load(chain("forward", "reject"))
    echo = {4: 8, 6: 128}[family]
    probes = [
        *(to_server(family, p, 9) for p in ("tcp", "udp", "sctp", 136)),
        to_server(family, ICMP[family], echo),
        *(to_server(family, number) for number in (47, 50, 99, 253)),
    ]
    assert set(verdicts(gateway, probes)) == {Verdict.REJECTED}


@FAMILIES
def test_nothing_is_invalid_to_conntrack(gateway: Gateway, family: int) -> None:
    gateway.load(chain("forward", "ct state new accept"))
    kinds = {4: [8, 13, 17], 6: [128, 139]}[family]
    probes = [to_server(family, p, 9) for p in ("tcp", "udp", "sctp")]
    probes += [to_server(family, ICMP[family], kind) for kind in kinds]
    probes += [to_server(family, number) for number in (47, 50, 51, 99, 253)]
    assert set(verdicts(gateway, probes)) == {Verdict.FORWARDED}


@FAMILIES
def test_icmp_types_are_told_apart(gateway: Gateway, family: int) -> None:
    chosen = {4: [0, 3, 8, 11], 6: [1, 2, 128, 133]}[family]
    gateway.load(chain("forward", f"{ICMP[family]} type {{ {', '.join(map(str, chosen))} }} accept"))
    kinds = {4: [0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 17], 6: [1, 2, 3, 4, 128, 129, 133, 139, 144]}[family]
    outcomes = gateway.probe([to_server(family, ICMP[family], kind) for kind in kinds])
    assert [kind for kind, outcome in zip(kinds, outcomes, strict=True) if outcome.passed] == chosen


@FAMILIES
def test_neighbour_discovery_reaches_the_gateway(gateway: Gateway, family: int) -> None:
    gateway.load(chain("input", "icmpv6 type { 133, 135 } accept", "udp dport 67 accept"))
    if family == 4:
        probes = [Probe("lan0.10", "0.0.0.0", "255.255.255.255", "udp", 67, source_port=68)]
    else:
        asked = [("fe80::1", 135), ("ff02::1", 135), ("ff02::2", 133), ("2001:db8:10::1", 135)]
        probes = [Probe("lan0.10", "fe80::77", to, "icmpv6", kind) for to, kind in asked]
    assert set(verdicts(gateway, probes)) == {Verdict.DELIVERED}


@FAMILIES
def test_delivered_and_refused_at_the_gateway_itself(gateway: Gateway, family: int) -> None:
    gateway.load(chain("input", "tcp dport 22 accept", "udp dport 53 accept", "tcp dport 23 reject"))
    wanted = {
        ("tcp", 22): Verdict.DELIVERED,
        ("tcp", 21): Verdict.DROPPED,
        ("tcp", 23): Verdict.REJECTED,
        ("udp", 53): Verdict.DELIVERED,
        ("udp", 54): Verdict.DROPPED,
    }
    probes = [Probe("lan0.10", LAN[family], SELF[family], *key) for key in wanted]
    assert verdicts(gateway, probes) == list(wanted.values())


@FAMILIES
def test_what_the_gateway_sends_itself(gateway: Gateway, family: int) -> None:
    gateway.load(chain("output", "tcp dport 25 accept"))
    probes = [Probe(None, SELF[family], WORLD[family], "tcp", port) for port in (24, 25, 26)]
    outcomes = gateway.probe(probes)
    assert [outcome.passed for outcome in outcomes] == [False, True, False]
    assert outcomes[1].interface == "wan0"


@FAMILIES
def test_spoofed_sources(gateway: Gateway, family: int) -> None:
    word = {4: "ip", 6: "ip6"}[family]
    honest = Probe("lan0.10", LAN[family], WORLD[family], "udp", 53)
    spoofed = Probe("lan0.10", SERVERS[family], WORLD[family], "udp", 53)
    assert all(outcome.passed for outcome in gateway.probe([honest, spoofed]))
    network = {4: "10.10.10.0/24", 6: "2001:db8:10::/64"}[family]
    gateway.load(chain("forward", f'iifname "lan0.10" {word} saddr != {network} drop', policy="accept"))
    assert [outcome.passed for outcome in gateway.probe([honest, spoofed])] == [True, False]


@FAMILIES
def test_translation_is_seen(gateway: Gateway, family: int) -> None:
    word, brackets = {4: ("ip", "{}"), 6: ("ip6", "[{}]")}[family]
    outer = {4: "192.0.2.2", 6: "2001:db8:ffff::2"}[family]
    target = brackets.format(SERVERS[family])
    gateway.load(
        chain("postrouting", 'oifname "wan0" masquerade', policy="accept", kind="nat", priority=100)
        + chain(
            "prerouting", f'iifname "wan0" tcp dport 443 dnat {word} to {target}:8443',
            policy="accept", kind="nat", priority=-100,
        )
        + chain("forward", "ct status dnat accept", 'oifname "wan0" accept')
    )  # fmt: skip
    out, published, closed = gateway.probe([
        Probe("lan0.10", LAN[family], WORLD[family], "tcp", 80, source_port=5555),
        Probe("wan0", WORLD[family], outer, "tcp", 443, source_port=7777),
        Probe("wan0", WORLD[family], SERVERS[family], "tcp", 8443),
    ])  # fmt: skip
    assert (out.interface, out.seen.src, out.seen.sport, out.seen.dst) == ("wan0", outer, 5555, WORLD[family])
    assert (published.interface, published.seen.dst, published.seen.dport) == (
        "br0.20",
        SERVERS[family],
        8443,
    )
    assert published.seen.src == WORLD[family]
    assert closed.verdict is Verdict.DROPPED


@FAMILIES
def test_probes_are_never_each_others_return_traffic(gateway: Gateway, family: int) -> None:
    gateway.load(chain("forward", "ct state established,related accept", 'iifname "lan0.10" accept'))
    ports = range(19000, 24000)
    forth = [to_server(family, "udp", port) for port in ports]
    back = [Probe("br0.20", SERVERS[family], LAN[family], "udp", port) for port in ports]
    for number in (47, 50, 99):
        forth.append(to_server(family, number))
        back.append(Probe("br0.20", SERVERS[family], LAN[family], number))
    forth.append(Probe("lan0.10", LAN[family], SERVERS[family], "udp", 67, source_port=68))
    back.append(Probe("br0.20", SERVERS[family], LAN[family], "udp", 68, source_port=67))
    mixed = [probe for pair in zip(forth, back, strict=True) for probe in pair]
    outcomes = gateway.probe(mixed)
    assert all(outcome.passed for outcome in outcomes[::2])
    assert not any(outcome.passed for outcome in outcomes[1::2])


def test_twenty_thousand_packets_without_a_loss(gateway: Gateway) -> None:
    gateway.load(chain("forward", "ct state established accept", "tcp dport 4 reject", "accept"))
    protocols = ("tcp", "udp")
    probes = [
        Probe("lan0.10", LAN[family].replace("7", str(2 + i % 9)), SERVERS[family], protocol, 1 + i % 5)
        for i, family, protocol in product(range(5000), (4, 6), protocols)
    ]
    before = time.process_time()
    outcomes = gateway.probe(probes)
    spent = time.process_time() - before
    assert Counter(o.verdict for o in outcomes) == {Verdict.FORWARDED: 18000, Verdict.REJECTED: 2000}
    assert all((o.verdict is Verdict.REJECTED) == (p.protocol == "tcp" and p.value == 4)
               for p, o in zip(probes, outcomes, strict=True))  # fmt: skip
    assert spent < 3, f"20,000 probes cost {spent:.1f} s of CPU"


def test_an_overflowing_queue_is_an_error_not_a_drop(gateway: Gateway) -> None:
    gateway._taps["br0.20"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    with pytest.raises(RuntimeError, match=r"packets lost in the receive queue of br0\.20"):
        gateway.probe([to_server(4, "udp", port) for port in range(1, 500)])


def test_a_backlog_overflow_is_asked_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "backlog_drops", partial(next, iter([0, 1, 1, 1])))
    gateway.load("table inet t {\n set s_seen { type ipv4_addr; flags dynamic; }\n}\n")
    only_the_first_is_lost = "udp dport 2 ip saddr != @s_seen add @s_seen { ip saddr } drop"
    gateway.load(chain("forward", only_the_first_is_lost, "udp dport 3 drop", policy="accept"))
    assert all(outcome.passed for outcome in gateway.probe([to_server(4, "udp", port) for port in (1, 2)]))
    monkeypatch.setattr(sockets, "backlog_drops", count().__next__)
    with pytest.raises(RuntimeError, match="backlog overflows"):
        gateway.probe([to_server(4, "udp", 3)])


def test_forty_interfaces_stand_within_two_seconds() -> None:
    interfaces = {f"lan0.{i}": InterfaceSpec([f"10.10.{i}.1/24", f"2001:db8:{i}::1/64"]) for i in range(40)}
    before = time.monotonic()
    with Gateway(interfaces) as gateway:
        assert time.monotonic() - before < 2
        probes = [Probe(f"lan0.{a}", f"10.10.{a}.9", f"10.10.{b}.9", "udp", 1)
                  for a, b in product(range(40), range(40))]  # fmt: skip
        outcomes = gateway.probe(probes)
        assert [o.interface for o in outcomes] == [f"lan0.{b}" for _, b in product(range(40), range(40))]


def test_routes_and_refused_rulesets(gateway: Gateway) -> None:
    there = gateway.probe([Probe("lan0.10", LAN[4], to, "udp", 1) for to in ("10.9.3.4", "10.10.10.8")])
    assert [outcome.interface for outcome in there] == ["br0.20", "lan0.10"]
    with pytest.raises(ValueError, match="syntax error"):
        gateway.load("table inet t { chain }")
    with pytest.raises(KeyError):
        gateway.probe([Probe("lan9", LAN[4], SERVERS[4], "udp", 1)])


def test_tests_leave_the_namespace_they_started_in_alone(gateway: Gateway) -> None:
    inside = run(gateway.namespace, ["ip", "-br", "link"]).stdout
    outside = partial(os.listdir, "/proc/sys/net/ipv4/conf")
    assert "lan0.10@" in inside
    assert "lan0.10" in gateway.namespace.call(outside)
    assert "lan0.10" not in outside()
