"""Rulesets with one thing changed, made from the text alone: every line is deleted, every word is changed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPENING = re.compile(r"\t(counter|limit|set|map|chain) \S+ \{")
WORDS = {
    "accept": "drop",
    "drop": "accept",
    "jump": "goto",
    "goto": "jump",
    "saddr": "daddr",
    "daddr": "saddr",
    "dport": "sport",
    "sport": "dport",
    "tcp": "udp",
    "udp": "tcp",
    "ip": "ip6",
    "ip6": "ip",
    "established": "new",
    "related": "new",
    "invalid": "untracked",
    "original": "reply",
    "reply": "original",
    "ipv4": "ipv6",
    "ipv6": "ipv4",
    "iifname": "oifname",
    "oifname": "iifname",
    "!=": "",
    "staged": "allow",
    "over": "",
    "interval": "timeout",
    "timeout": "interval",
    "500ms": "901ms",
    "dynamic": "interval",
    "add": "update",
    "iif": "oif",
    "masquerade": "accept",
    "forward": "input",
    "input": "output",
    "filter;": "raw;",
    "second": "minute",
    "icmp": "icmpv6",
    "icmpv6": "icmp",
}
TOKEN = re.compile(r'comment "[^"]*"|"[^"]*"|[^\s,{}]+')


class Mutant(NamedTuple):
    """`what` says what was done; lines count from 1."""

    line: int
    what: str
    text: str


def mutants(text: str, rng: random.Random) -> Iterator[Mutant]:
    """Every mutant of a ruleset, line by line."""
    lines = text.split("\n")
    names = _names(lines)
    for at, line in enumerate(lines):
        if not line or line.startswith("#"):
            continue
        if OPENING.fullmatch(line):
            end = next(n for n in range(at, len(lines)) if lines[n] == "\t}")
            yield Mutant(at + 1, "block deleted", "\n".join(lines[:at] + lines[end + 1 :]))
            continue
        if line.strip() in ("}", "elements = {") or (line.endswith("{") and "elements" not in line):
            continue
        yield Mutant(at + 1, "deleted", _without(lines, at))
        for changed in _changes(line, names, rng):
            yield Mutant(
                at + 1, f"now {changed.strip()}", "\n".join([*lines[:at], changed, *lines[at + 1 :]])
            )
        if line.startswith("\t\t\t"):
            for changed in _changes(line.rstrip(","), names, rng, keys=False):
                more = [changed + ",", line]
                yield Mutant(
                    at + 1, f"beside it {changed.strip()}", "\n".join(lines[:at] + more + lines[at + 1 :])
                )
        elif _is_rule(line) and at + 1 < len(lines) and _is_rule(lines[at + 1]):
            swapped = [*lines[:at], lines[at + 1], line, *lines[at + 2 :]]
            yield Mutant(at + 1, "swapped with the next", "\n".join(swapped))


def _is_rule(line: str) -> bool:
    return (
        line.startswith("\t\t")
        and not line.startswith("\t\t\t")
        and line.strip() != "}"
        and not re.match(r"\t\t(type|flags|timeout|size|comment|elements|rate)", line)
    )


def _without(lines: Sequence[str], at: int) -> str:
    rest = [*lines[:at], *lines[at + 1 :]]
    if rest[at].strip() == "}" and rest[at - 1].endswith(",") and lines[at].startswith("\t\t\t"):
        rest[at - 1] = rest[at - 1].rstrip(",")
    return "\n".join(rest)


def _names(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"counter": [], "limit": [], "set": [], "map": [], "chain": []}
    for line in lines:
        if OPENING.fullmatch(line):
            kind, name = line.split()[:2]
            found[kind].append(name)
    return found


def _changes(line: str, names: dict[str, list[str]], rng: random.Random, keys: bool = True) -> Iterator[str]:
    """The line with one word changed; without `keys` only words behind the colon of an element."""
    start = 0 if keys else line.rfind(" : ") + 3 if " : " in line else len(line)
    for match in TOKEN.finditer(line, start):
        for other in _others(match[0], names, rng):
            changed = line[: match.start()] + other + line[match.end() :]
            if changed != line:
                yield changed.replace("  ", " ")


def _others(word: str, names: dict[str, list[str]], rng: random.Random) -> Iterator[str]:
    bare = word.strip('"@')
    if word.startswith("comment "):
        return
    if word in WORDS:
        yield WORDS[word]
    elif re.fullmatch(r"0x[0-9a-f]{8}", word):
        yield f"0x{int(word, 16) ^ 1 << rng.randrange(16, 32):08x}"
    elif re.fullmatch(r"\d+", word):
        yield str(int(word) + 1)
    elif re.fullmatch(r"\d+-\d+", word):
        low, high = map(int, word.split("-"))
        yield f"{low}-{high + 1}"
        yield f"{low + 1}-{high}" if low < high else f"{low + 1}"
    elif re.fullmatch(r"[0-9a-f:.]+[:.][0-9a-f:.]*/\d+", word):
        base, _, length = word.partition("/")
        yield f"{base}/{int(length) + 1}"
    elif re.fullmatch(r"\d+\.\d+\.\d+\.\d+", word):
        yield re.sub(r"\d+$", lambda m: str((int(m[0]) + 1) % 256), word)
    elif word[0] == '"' and word.endswith(' "'):
        yield word[:-2] + 'x "'
    else:
        for kind in ("counter", "limit", "chain", "set", "map"):
            others = [name for name in names[kind] if name != bare]
            if bare in names[kind] and others:
                yield word.replace(bare, rng.choice(others))
                return


def harmless(text: str, rng: random.Random) -> Iterator[Mutant]:
    """Rulesets that say the same: with other comments, with their elements in another order."""
    yield Mutant(0, "comments changed", re.sub(r'comment "[^"]*"', 'comment "other"', text))
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        end = at
        while lines[end].startswith("\t\t\t"):
            end += 1
        if end > at:
            shuffled = [line.rstrip(",") for line in lines[at:end]]
            rng.shuffle(shuffled)
            lines[at:end] = [f"{line}," for line in shuffled[:-1]] + shuffled[-1:]
        at = end + 1
    yield Mutant(0, "elements shuffled", "\n".join(lines))
