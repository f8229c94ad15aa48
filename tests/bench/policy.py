"""Policies to measure with: Z zones of 2 IPv4 and 2 IPv6 prefixes and an interface each, F flows.

A quarter of the flows allow a range of ports, the others one to three ports. The same policy can be
written for segc, for Capirca and as a ruleset by hand, so that all are measured on one and the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILES = 20


class Flow(NamedTuple):
    source: int
    destination: int
    ports: tuple[tuple[int, int], ...]


class Network(NamedTuple):
    zones: int
    flows: tuple[Flow, ...]


def generate(zones: int, flows: int, seed: int = 1) -> Network:
    rng = random.Random(seed)
    return Network(zones, tuple(_flow(zones, rng) for _ in range(flows)))


def _flow(zones: int, rng: random.Random) -> Flow:
    source, destination = rng.sample(range(zones), 2)
    if rng.random() < 0.25:
        first = rng.randrange(1024, 60000)
        return Flow(source, destination, ((first, first + rng.randrange(1, 200)),))
    ports = sorted(rng.sample(range(1, 65535), rng.randint(1, 3)))
    return Flow(source, destination, tuple((port, port) for port in ports))


def prefixes(zone: int) -> tuple[tuple[str, str], tuple[str, str]]:
    high, low = divmod(zone, 128)
    v4 = f"10.{high}.{low * 2}.0/24", f"172.{16 + zone // 256}.{zone % 256}.0/24"
    return v4, (f"2001:db8:{zone:x}::/64", f"2001:db8:{zone:x}:1::/64")


def port_text(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def write_segc(network: Network, folder: Path) -> None:
    """A folder of one file of zones and twenty of flows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zones.seg").write_text("\n".join(_inventory(network)) + "\n")
    for number in range(FILES):
        lines = [_segc_flow(flow) for flow in network.flows[number::FILES]]
        (folder / f"flows{number:02}.seg").write_text("\n".join(lines) + "\n")


def _inventory(network: Network) -> Iterator[str]:
    for zone in range(network.zones):
        v4, v6 = prefixes(zone)
        yield f"zone z{zone} {{ subnet {', '.join(v4 + v6)} }}"
    yield "gateway gw {"
    yield from (f"  interface eth{zone} {{ zone z{zone} }}" for zone in range(network.zones))
    yield "}"


def _segc_flow(flow: Flow) -> str:
    services = ", ".join(f"tcp/{port_text(ports)}" for ports in flow.ports)
    return f"allow z{flow.source} -> z{flow.destination} : {services}"


def by_hand(network: Network) -> str:
    """What an expert writes: a verdict map from source to a chain, an interval set a source zone."""
    lines = ["table inet hand {"]
    allowed: dict[int, list[Flow]] = {}
    for flow in network.flows:
        allowed.setdefault(flow.source, []).append(flow)
    for zone in range(network.zones):
        for family, type_ in enumerate(("ipv4_addr", "ipv6_addr")):
            elements = [
                f"{prefix} . 6 . {port_text(ports)}"
                for flow in allowed.get(zone, ())
                for prefix in prefixes(flow.destination)[family]
                for ports in flow.ports
            ]
            body = f" elements = {{ {', '.join(dict.fromkeys(elements))} }};" if elements else ""
            kind = f"{type_} . inet_proto . inet_service; flags interval;"
            lines.append(f" set d{family}_{zone} {{ type {kind}{body}\n }}")
        lookups = [
            f"{p} daddr . meta l4proto . th dport @d{f}_{zone} accept" for f, p in enumerate(("ip", "ip6"))
        ]
        lines.append(f" chain z{zone} {{\n  " + "\n  ".join(lookups) + "\n }")
    for family, type_ in enumerate(("ipv4_addr", "ipv6_addr")):
        jumps = (f"{prefix} : jump z{z}" for z in range(network.zones) for prefix in prefixes(z)[family])
        kind = f"type {type_} : verdict; flags interval;"
        lines.append(f" map s{family} {{ {kind} elements = {{ {', '.join(jumps)} }};\n }}")
    lines += [
        " chain forward {", "  type filter hook forward priority filter; policy drop;",
        "  ct state established,related accept", "  ip saddr vmap @s0", "  ip6 saddr vmap @s1", " }", "}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def write_capirca(network: Network, folder: Path) -> Path:
    """Definitions and a policy of one filter for nftables, a term a flow and family."""
    definitions = folder / "def"
    definitions.mkdir(parents=True, exist_ok=True)
    with (definitions / "zones.net").open("w") as out:
        for zone in range(network.zones):
            v4, v6 = prefixes(zone)
            out.write(f"Z{zone} = " + "\n  ".join(v4 + v6) + "\n\n")
    services = {port_text(p) for flow in network.flows for p in flow.ports}
    with (definitions / "ports.svc").open("w") as out:
        out.writelines(f"P{text.replace('-', '_')} = {text}/tcp\n" for text in sorted(services))
    policy = folder / "flows.pol"
    with policy.open("w") as out:
        out.write("header {\n  target:: nftables mixed INPUT\n}\n")
        for number, flow in enumerate(network.flows):
            ports = " ".join(f"P{port_text(p).replace('-', '_')}" for p in flow.ports)
            out.write(
                f"term t{number} {{\n  source-address:: Z{flow.source}\n"
                f"  destination-address:: Z{flow.destination}\n"
                f"  destination-port:: {ports}\n  protocol:: tcp\n  action:: accept\n}}\n"
            )
    return policy
