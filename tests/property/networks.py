"""Networks of a size between the oracle's and the benchmarks': a dozen zones within 4,096 addresses of each
family, tens of flows between overlapping sets, people on both sides, exceptions, hours and dates."""

from __future__ import annotations

import random
from collections.abc import Iterator

SIZE = 12  # bits of an address that differ
HOURS = (
    "", "", "", " when mon-fri 08:00-18:00", " when sat,sun", " when daily 22:00-04:00",
    " until 2026-03-02", " from 2026-03-03", " when mon-fri 06:00-20:00 until 2026-03-02",
)  # fmt: skip
SERVICES = (
    "tcp/22", "tcp/80-443", "tcp/400-500", "udp/53", "tcp/1-65535", "icmp/echo-request", "icmpv6", "any",
    "tcp/443, udp/443", "tcp, udp", "gre",
)  # fmt: skip
PEOPLE = ("group g1", "group g2", "group g3", "group g4", "group g5", 'user "u1@x"', 'user "u5@x"')


def generate(seed: int) -> str:
    """The text of a policy; the same for the same seed."""
    rng = random.Random(seed)
    return "\n".join(_statements(rng, rng.randint(4, 14), rng.randint(10, 60))) + "\n"


def _statements(rng: random.Random, zones: int, flows: int) -> Iterator[str]:
    yield 'group g1 { user "u1@x", "u2@x" }'
    yield 'group g2 { user "u3@x"  group g1 }'
    yield 'group g3 from directory "d1"'
    yield 'group g4 from directory "d2"'
    yield 'group g5 { user "u4@x"  group g3 }'
    yield "posture fit { edr = true }"
    for zone in range(zones):
        yield _zone(rng, zone)
    interfaces = "  ".join(f"interface e{zone} {{ zone z{zone} }}" for zone in range(zones))
    yield f"gateway gw {{ {interfaces}  address z0 10.0.0.1/25, 2001:db8::1/121 }}"
    for number in range(4):
        yield f"set s{number} = {_places(rng, zones, 0)}"
    for _ in range(flows):
        yield _flow(rng, zones)


def _zone(rng: random.Random, zone: int) -> str:
    high, low = divmod(zone * 128, 256)
    v4, v6 = f"10.0.{high}.{low}/25", f"2001:db8::{zone * 128:x}/121"
    both = zone == 0 or rng.random() < 0.6
    subnets = [v4, v6] if both else [rng.choice((v4, v6))]
    hosts = []
    for host in range(3):
        addresses = [f"10.0.{high}.{low + 9 + host}"] if v4 in subnets else []
        addresses += [f"2001:db8::{zone * 128 + 9 + host:x}"] if v6 in subnets else []
        tag = " { tag t }" if rng.random() < 0.3 else ""
        hosts.append(f"host h{host} = {', '.join(addresses)}{tag}")
    hosts[0] = hosts[0] if "tag" in hosts[0] or zone else f"{hosts[0]} {{ tag t }}"
    isolated = "intra deny" if rng.random() < 0.3 else ""
    return f"zone z{zone} {{ subnet {', '.join(subnets)}  {'  '.join(hosts)}  {isolated} }}"


def _flow(rng: random.Random, zones: int) -> str:
    verb = "deny" if rng.random() < 0.35 else "allow"
    staged = "staged " if rng.random() < 0.08 else ""
    person = rng.random() < 0.3
    source = _people(rng, zones) if person else _end(rng, zones)
    destination = _people(rng, zones) if rng.random() < 0.08 else _end(rng, zones)
    options = (
        rng.choice(("", " require mfa", " require mfa, posture fit", " require posture fit"))
        if person
        else ""
    )
    options += rng.choice(HOURS)
    options += rng.choice(("", "", "", " log", *([" limit 5/minute"] if verb == "allow" else [])))
    return f"{staged}{verb} {source} -> {destination} : {rng.choice(SERVICES)}{options}"


def _people(rng: random.Random, zones: int) -> str:
    where = f" in (z{rng.randrange(zones)}, z{rng.randrange(zones)})" if rng.random() < 0.7 else ""
    return f"{rng.choice(PEOPLE)}{where}"


def _end(rng: random.Random, zones: int) -> str:
    if rng.random() < 0.06:
        return "gateway gw"
    places = _places(rng, zones, 4)
    choice = rng.random()
    if choice < 0.15:
        return f"{places} except {rng.choice(PEOPLE)}"
    return f"{places} except z{rng.randrange(zones)}.h{rng.randrange(3)}" if choice < 0.3 else places


def _places(rng: random.Random, zones: int, sets: int) -> str:
    terms = [
        f"z{rng.randrange(zones)}",
        f"z{rng.randrange(zones)}",
        f"z{rng.randrange(zones)}.h{rng.randrange(3)}",
    ]
    terms += ["tag t", "any", *(f"s{number}" for number in range(sets))]
    return ", ".join(sorted({rng.choice(terms) for _ in range(rng.randint(1, 3))}))
