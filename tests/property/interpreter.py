"""An interpreter of the rulesets that the nftables backend writes, from their text alone.

It knows each expression that may stand in one, fails on anything else, and shares no code with the
compiler. Verdicts are `accept`, `drop` or `reject`; counters that were hit are in `Run.hits`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import pairwise

DAY = 86400
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "icmpv6": 58, "sctp": 132, "udplite": 136}
ND = {
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
}
MLD = {"mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
       "mld2-listener-report": 143}  # fmt: skip
SPEC = {"ip saddr": (4, "src"), "ip daddr": (4, "dst"), "ip6 saddr": (6, "src"), "ip6 daddr": (6, "dst")}


@dataclass(frozen=True)
class Seen:
    """The first packet of a connection as a hook sees it."""

    hook: str
    iif: str
    oif: str
    src: str
    dst: str
    protocol: int
    value: int
    at: int

    @property
    def family(self) -> int:
        return 6 if ":" in self.src else 4


@dataclass
class Run:
    packet: Seen
    sets: Mapping[str, set[str]]
    mark: int = 0xBEEF0000
    hits: list[str] = field(default_factory=list)


Step = Callable[[Run], object]  # False: no match; None: go on; a string: a verdict
Verdict = str
KEYED = r"(?:meta mark(?: & 0x[0-9a-f]{8})?|\w+ (?:dport|sport|type)|meta l4proto)"
KEY = rf"{KEYED}(?: \. {KEYED})*"


class Ruleset:
    """The text taken apart: `chains` of rules, each a list of steps; maps with their elements."""

    def __init__(self, text: str) -> None:
        self.counters: set[str] = set()
        self.limits: set[str] = set()
        self.maps: dict[str, dict[str, str]] = {}
        self.intervals: dict[str, list[tuple[int, int]]] = {}
        self.timed: set[str] = set()
        self.hooks: dict[str, str] = {}
        self._rules: dict[str, list[str]] = {}
        head, _, body = text.partition("table inet segc {\n")
        plain = [line for line in head.splitlines() if line and not line.startswith("#")]
        assert plain == ["table inet segc", "delete table inet segc"], plain
        assert body.endswith("}\n")
        for kind, name, block in re.findall(r"^\t(\w+) (\S+) \{\n(.*?)^\t\}\n", body, re.M | re.S):
            self._add(kind, name, [line.strip() for line in block.splitlines()])
        rest = re.sub(r"^\t(\w+) (\S+) \{\n(.*?)^\t\}\n", "", body, flags=re.M | re.S)
        assert not rest.strip("\n}"), rest
        self.chains = {name: [self._rule(rule) for rule in rules] for name, rules in self._rules.items()}

    # -- reading ---------------------------------------------------------------------------------

    def _add(self, kind: str, name: str, lines: list[str]) -> None:
        if kind == "counter":
            assert not lines
            assert name not in self.counters
            self.counters.add(name)
        elif kind == "limit":
            assert re.fullmatch(r"rate \d+/\w+ burst \d+ packets", " ".join(lines))
            self.limits.add(name)
        elif kind == "chain":
            assert name not in self._rules
            self._rules[name] = list(filter(None, (self._head(name, line) for line in lines)))
        else:
            assert kind in ("set", "map")
            assert name not in self.maps
            self._set(kind, name, lines)

    def _head(self, name: str, line: str) -> str:
        if line.startswith("comment "):
            return ""
        base = re.fullmatch(
            r"type (filter|nat) hook (\w+) priority (filter|dstnat|srcnat); policy (\w+);", line
        )
        if base is None:
            return line
        if base[1] == "filter":
            assert base[4] == "drop"
            self.hooks[base[2]] = name
        return ""

    def _set(self, kind: str, name: str, lines: list[str]) -> None:
        elements: dict[str, str] = {}
        spans: list[tuple[int, int]] = []
        interval, size = "flags interval" in lines, 0
        inside = False
        for line in lines:
            if line == "elements = {":
                inside = True
            elif line == "}":
                inside = False
            elif inside:
                key, value = _element(line.rstrip(","))
                assert key not in elements, f"{name} holds {key} twice"
                elements[key] = value
                if interval:
                    spans.append(_span(key))
            elif line.startswith("size "):
                size = int(line.removeprefix("size "))
            elif line in ("flags timeout", "flags dynamic,timeout"):
                self.timed.add(name)
            else:
                assert re.fullmatch(
                    r'(type|typeof) [a-z0-9_ .:]+|flags interval|timeout \d+ms|comment "[^"]*"', line
                ), line
        assert (kind == "map") == any(elements.values()) or not elements
        assert not size or 2 * len(elements) <= size
        assert all(a[1] < b[0] for a, b in pairwise(sorted(spans))), f"{name} overlaps"
        self.maps[name] = elements
        if interval:
            self.intervals[name] = spans

    # -- rules -----------------------------------------------------------------------------------

    def _rule(self, text: str) -> list[Step]:
        steps, at = [], 0
        while at < len(text):
            for pattern, make in PATTERNS:
                match = pattern.match(text, at)
                if match:
                    steps.append(make(self, *match.groups()))
                    at = match.end()
                    break
            else:
                raise AssertionError(f"not understood: {text[at:]}")
        return steps

    def run(self, packet: Seen, sessions: Mapping[str, set[str]]) -> tuple[Verdict, Run]:
        """The verdict on a packet, with sessions as the elements of the timed sets."""
        run = Run(packet, sessions)
        verdict = self._chain(run, self.hooks[packet.hook], 0)
        return verdict or "drop", run

    def _chain(self, run: Run, name: str, depth: int) -> str | None:
        assert depth < 16
        for rule in self.chains[name]:
            for step in rule:
                result = step(run)
                if result is False:
                    break
                if isinstance(result, str):
                    verdict, _, target = result.partition(" ")
                    if verdict == "continue":
                        break
                    if verdict == "return":
                        return None
                    if verdict in ("goto", "jump"):
                        inner = self._chain(run, target, depth + 1)
                        if inner is not None or verdict == "goto":
                            return inner
                        break
                    return verdict
        return None

    def elements(self, run: Run, name: str) -> set[str] | dict[str, str]:
        return run.sets.get(name, set()) if name in self.timed else self.maps[name]


def _element(line: str) -> tuple[str, str]:
    match = re.fullmatch(r'("[^"]*"|[^"]*?)(?: comment "[^"]*")?(?: : (.+))?', line)
    assert match, line
    return match[1], (match[2] or "").strip('"')


def _span(key: str) -> tuple[int, int]:
    first, dash, last = key.partition("-")
    if dash or key.isdecimal():
        return int(first), int(last or first)
    network = ip_network(key)
    return int(network[0]), int(network[-1])


def _address(run: Run, spec: str) -> str | None:
    family, side = SPEC[spec]
    return getattr(run.packet, side) if run.packet.family == family else None


def _in_set(rules: Ruleset, spec: str, negated: str | None, name: str) -> Step:
    def step(run: Run) -> object:
        address = _address(run, spec)
        return (
            None if address is not None and (address in rules.elements(run, name)) != bool(negated) else False
        )

    return step


def _in_list(rules: Ruleset, spec: str, texts: str) -> Step:
    networks = [ip_network(text.strip()) for text in texts.strip("{} ").split(",")]

    def step(run: Run) -> object:
        address = _address(run, spec)
        return None if address and any(ip_address(address) in network for network in networks) else False

    return step


def _address_map(rules: Ruleset, spec: str, mask: str | None, name: str) -> Step:
    table = rules.maps[name]
    spans = rules.intervals.get(name)
    values = list(table.values())
    bits = int(ip_address(mask)) if mask else None

    def step(run: Run) -> object:
        address = _address(run, spec)
        if address is None:
            return False
        number = int(ip_address(address))
        if spans is not None:
            hits = [
                value for (first, last), value in zip(spans, values, strict=True) if first <= number <= last
            ]
            return hits[0] if hits else False
        key = address if bits is None else str(type(ip_address(address))(number & bits))
        return table.get(key, False)

    return step


def _fields(key: str) -> Callable[[Run], str | None]:
    readers = [_field(part) for part in key.split(" . ")]

    def read(run: Run) -> str | None:
        values = [reader(run) for reader in readers]
        return None if None in values else " . ".join(map(str, values))

    return read


def _field(text: str) -> Callable[[Run], object]:
    if text.startswith("meta mark"):
        mask = int(text.partition(" & ")[2] or "0xffffffff", 16)
        return lambda run: f"0x{run.mark & mask:08x}"
    if text == "meta l4proto":
        return lambda run: run.packet.protocol
    name, what = text.split()
    if what == "sport":  # of the reply to what stands already, never of a new connection
        return lambda run: None
    return lambda run: run.packet.value if run.packet.protocol == PROTOCOLS[name] else None


def _verdict_map(rules: Ruleset, key: str, name: str) -> Step:
    table, read = rules.maps[name], _fields(key)
    assert name not in rules.intervals
    return lambda run: table.get(read(run) or "", False)


def _counter_map(rules: Ruleset, key: str, name: str) -> Step:
    table, read = rules.maps[name], _fields(key)
    assert name not in rules.intervals
    assert set(table.values()) <= rules.counters

    def step(run: Run) -> object:
        hit = table.get(read(run) or "")
        if hit is None:
            return False
        run.hits.append(hit)
        return None

    return step


def _key_in(rules: Ruleset, key: str, name: str) -> Step:
    read = _fields(key)
    return lambda run: None if read(run) in rules.maps[name] else False


def _count(rules: Ruleset, name: str) -> Step:
    assert name in rules.counters
    return lambda run: run.hits.append(name)


def _limit(rules: Ruleset, name: str) -> Step:
    assert name in rules.limits
    return lambda run: None


def _set_mark(rules: Ruleset, old: str | None, kept: str | None, value: str | None) -> Step:
    keep = int(kept, 16) if kept else (0xFFFFFFFF if old else 0)
    add = int(value, 16) if value else 0

    def step(run: Run) -> None:
        run.mark = run.mark & keep | add

    return step


def _device(rules: Ruleset, which: str, negated: str | None, names: str) -> Step:
    wanted = re.findall(r'"([^"]*)"', names)
    return lambda run: None if (getattr(run.packet, which) in wanted) != bool(negated) else False


def _when(test: Callable[[Ruleset, int, str], bool]) -> Callable[..., Step]:
    def make(rules: Ruleset, value: str) -> Step:
        return lambda run: None if test(rules, run.packet.at, value) else False

    return make


def _season(rules: Ruleset, negated: str | None, name: str) -> Step:
    spans = rules.intervals[name]
    return lambda run: None if any(a <= run.packet.at < b for a, b in spans) != bool(negated) else False


def _range(value: str, number: int) -> bool:
    low, _, high = value.partition("-")
    return int(low) <= number <= int(high or low)


def _ports(rules: Ruleset, protocol: str, side: str, value: str) -> Step:
    ported = {6, 17, 33, 132, 136} if protocol == "th" else {PROTOCOLS[protocol]}

    def step(run: Run) -> object:
        mine = run.packet.protocol in ported
        return None if mine and side == "dport" and _range(value, run.packet.value) else False

    return step


def _l4proto(rules: Ruleset, texts: str) -> Step:
    wanted = {int(text) for text in re.findall(r"\d+", texts)}
    return lambda run: None if run.packet.protocol in wanted else False


def _icmp_types(rules: Ruleset, texts: str) -> Step:
    wanted = {(ND | MLD)[text.strip()] for text in texts.split(",")}

    def step(run: Run) -> object:
        return None if run.packet.protocol == 58 and run.packet.value in wanted else False

    return step


def _verdict(rules: Ruleset, verdict: str) -> Step:
    assert verdict.split()[0] in ("accept", "drop", "continue") or verdict.split()[1] in rules._rules
    return lambda run: verdict


def _nothing(rules: Ruleset, *_: str) -> Step:
    return lambda run: None


def _never(rules: Ruleset, *_: str) -> Step:
    return lambda run: False


def _nfproto(rules: Ruleset, word: str) -> Step:
    return lambda run: None if run.packet.family == {"ipv4": 4, "ipv6": 6}[word] else False


PATTERNS: list[tuple[re.Pattern[str], Callable[..., Step]]] = [
    (re.compile(pattern + r"(?: |$)"), make)
    for pattern, make in (
        (r'comment "[^"]*"', _nothing),
        (r'(iif|oif)name (!= )?("[^"]*"|\{[^}]*\})', _device),
        (r'log prefix "[^"]{1,127}"', _nothing),
        (r"limit rate \d+/\w+ burst \d+ packets", _nothing),
        (r"limit rate over \d+/\w+ burst \d+ packets", _never),
        (r'limit name "([^"]+)"', _limit),
        (rf"counter name ({KEY}) map @(\S+)", _counter_map),
        (r'counter name "([^"]+)"', _count),
        (r"ct state established ct label \d+", _never),
        (
            r"ct state (?:established|related|invalid|established,related,invalid)",
            _never,
        ),  # a new packet is none
        (r"icmp type redirect", _never),
        (r"ct direction original", _never),
        (r"ct label set \d+", _nothing),
        (r"iif [a-z0-9 .]+ @\S+", _never),
        (r"add @\S+ \{ iif [a-z0-9 .]+ \}", _nothing),
        (r"ct status dnat", _nothing),
        (r"ct (?:original|reply) ip6? saddr (?:!= )?@\S+", _never),
        (r"tcp flags & rst == rst", _never),
        (r"tcp flags & \(fin \| syn \| rst \| ack\) != syn", _never),
        (r"meta nfproto (ipv4|ipv6)", _nfproto),
        (r"meta mark set (meta mark)(?: & (0x[0-9a-f]{8}))?(?: \| (0x[0-9a-f]{8}))?", _set_mark),
        (r"meta mark set ()()(0x[0-9a-f]{8})", _set_mark),
        (r"(ip6? [sd]addr)(?: & (\S+))? vmap @(\S+)", _address_map),
        (r"(ip6? [sd]addr) (!= )?@(\S+)", _in_set),
        (r"(ip6? [sd]addr) (\{[^}]*\}|[0-9a-f:.]+(?:/\d+)?)", _in_list),
        (r"ip6 hoplimit 255", _nothing),
        (r"icmpv6 type \{ ([^}]*) \}", _icmp_types),
        (r"meta time (!= )?@(\S+)", _season),
        (r"meta time >= (\d+)", _when(lambda _, at, value: at >= int(value))),
        (r"meta time < (\d+)", _when(lambda _, at, value: at < int(value))),
        (r"meta day (\d(?:-\d)?)", _when(lambda _, at, value: _range(value, (at // DAY + 4) % 7))),
        (r"meta hour (\d+-\d+)", _when(lambda _, at, value: _range(value, at % DAY))),
        (r"meta l4proto (\d+|\{ \d+(?:, \d+)* \})(?! \.)", _l4proto),
        (rf"({KEY}) vmap @(\S+)", _verdict_map),
        (r"(meta mark(?: & 0x[0-9a-f]{8})?) @(\S+)", _key_in),
        (r"(\w+) (dport|sport) (\d+-\d+)", _ports),
        (r"udp sport \d+ udp dport \d+", _never),  # DHCP, which is asked for elsewhere
        (r"th dport \d+", _never),  # what is published on one port, in a hook before ours
        (r"fib daddr type local", _never),
        (r"dnat ip6? to \S+", _never),
        (r"masquerade", _never),
        (r"return", _never),  # stands behind what matches no first packet
        (r"reject with (?:tcp reset|icmpx type admin-prohibited)", lambda *_: lambda run: "reject"),
        (r"(accept|drop|continue|goto \S+|jump \S+)", _verdict),
    )
]
