"""Whatever a policy holds: findings with places, and never an exception, in bounded time and memory."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segc import compile
from segc.diagnostics.accept import apply_acceptances
from segc.diagnostics.github import render_github
from segc.diagnostics.json_format import render_json
from segc.diagnostics.junit import render_junit
from segc.diagnostics.model import Diagnostic, Report, Severity
from segc.diagnostics.sarif import render_sarif
from segc.diagnostics.text import render_text
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax import grammar
from segc.syntax.parse import parse
from segc.syntax.tokens import lexemes
from tests.property.test_syntax import KEYWORDS

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "120"))
SECONDS = 20  # CPU time of one policy, an upper bound on a busy machine; most take some hundredths

HOSTILE = [
    *("0", "1", "-1", "4094", "4095", "65535", "65536", "999999999999999999999", "0x", "0xffffffff", "08"),
    *("0.0.0.0/0", "::/0", "0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1", "224.0.0.0/4"),
    *("10.0.0.0/8", "10.10.10.255", "10.10.10.0-10.10.11.7", "::ffff:10.0.0.1", "2001:db8::/32", "1.2.3"),
    *("10.0.0.1/24", "10.0.0.1/32", "2001:db8::1/127", "fe80::1/64", "127.0.0.1/8", "dhcp"),
    *("any", "tcp", "tcp/0", "tcp/1-65535", "udp/65536", "icmp/255", "icmpv6/echo-request", "proto/0-255"),
    *("proto/6", "gre", "proto", "dhcp", "dns", "ntp", "tcp/443-80", "icmp/echo-reply"),
    *("0001-01-01", "9999-12-31", "1969-12-31", "2027-02-29", "24:00-00:00", "00:00-24:00", "23:59-00:00"),
    *(
        "sun-sat",
        "mon-mon",
        "daily",
        "0/second",
        "1/day",
        "2147483648/second",
        "999999999/hour",
        "1e9/second",
    ),
    *("366d", "367d", "1s", "0s", "02:00:00:00:00:1e", "FF:FF:FF:FF:FF:FF", "02-00-00-00-00-1e"),
    *('""', '"\\""', '"\\\\"', '"%s{}{0}"', '"\u202eevil\u200b"', '"../../etc/passwd"', '"UTC"', '"a\tb"'),
    *('"9999-12-31 23:59"', '"0001-01-01 00:00"', '"2026-01-01T00:00+23:59"', '"2026-11-24 09:30"'),
    *('"ge-0/0/1-512"', '"ge-0/0/1-9999"', "lo", "..", "eth0.4094", "enp0s31f6verylongname", "wan0", "lan0"),
    *("a" * 300, "__class__", "a.b", "a.b.c", "-", "_", "x-", "#", "#\n", "# segc: accept SEG301 -- x\n"),
    *("internet", "internet.x", "except any", "gateway gw1", "group nobody", 'user "x" in hr', "tag pii"),
]


class Lexeme(NamedTuple):
    """A token with the name that the grammar has for its kind."""

    type: str
    text: str


def statements_of(path: Path) -> list[list[Lexeme]]:
    """The statements of a sample, each as its tokens."""
    found: list[list[Lexeme]] = []
    depth = 0
    for file in [path] if path.is_file() else sorted(path.rglob("*.seg")):
        for lexeme in lexemes(file.read_text("utf-8"))[:-1]:
            depth += (lexeme.text == "{") - (lexeme.text == "}")
            if lexeme.item and not depth:
                found.append([])
            found[-1].append(Lexeme(lexeme.type, lexeme.text))
    return found


def of_one_kind(lexemes: Iterable[Lexeme]) -> dict[str, list[str]]:
    """For each kind that has more than one text, those of the samples and about as many hostile ones."""
    found: dict[str, set[str]] = {}
    for lexeme in lexemes:
        found.setdefault(lexeme.type, set()).add(lexeme.text)
    kinds = {}
    for kind in found.keys() & PATTERNS.keys():
        usual, hostile = sorted(found[kind]), [text for text in HOSTILE if PATTERNS[kind].fullmatch(text)]
        kinds[kind] = usual + hostile * max(1, len(usual) // max(1, len(hostile)))
    return kinds


TERMINALS = re.findall(r"^([A-Z_]+)(?:\.\d)?: /(.*)/$", grammar.text(), re.MULTILINE)
PATTERNS = {kind: re.compile(pattern) for kind, pattern in TERMINALS}
ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").iterdir())
POLICIES = [statements_of(path) for path in SAMPLES if path.is_dir() or path.suffix == ".seg"]
TOKENS = [[token for statement in policy for token in statement] for policy in POLICIES]
KINDS = of_one_kind(token for policy in TOKENS for token in policy)
WORDS = sorted({token.text for policy in TOKENS for token in policy})
words = st.sampled_from(WORDS) | st.sampled_from(HOSTILE) | st.sampled_from(KEYWORDS)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A sample with some of its tokens deleted, repeated, exchanged or replaced."""
    tokens = [token.text for token in draw(st.sampled_from(TOKENS))]
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(tokens) - 1))
        other = draw(st.integers(0, len(tokens) - 1))
        match draw(st.sampled_from(["replace", "replace", "replace", "delete", "repeat", "swap", "copy"])):
            case "replace":
                tokens[at] = draw(words)
            case "delete":
                del tokens[at : at + draw(st.integers(1, 4))]
            case "repeat":
                tokens.insert(at, draw(words))
            case "swap":
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case "copy":
                tokens[at:at] = tokens[other : other + draw(st.integers(1, 30))]
        tokens = tokens or ["zone"]
    return " ".join(tokens)


@st.composite
def alike(draw: st.DrawFn) -> str:
    """A sample with a statement missing or twice, and some tokens exchanged for others of their kind.

    Most of the exchanges are with tokens of the same sample, so that many of them still mean something.
    """
    number = draw(st.integers(0, len(POLICIES) - 1))
    statements = list(POLICIES[number])
    if draw(st.booleans()):
        at = draw(st.integers(0, len(statements) - 1))
        statements[at : at + 1] = draw(st.sampled_from([[], [statements[at]] * 2]))
    tokens = [token for statement in statements for token in statement]
    places = [at for at, token in enumerate(tokens) if token.type in KINDS]
    for at in draw(st.lists(st.sampled_from(places), min_size=1, max_size=5)):
        kind = tokens[at].type
        own = [token.text for token in TOKENS[number] if token.type == kind]
        tokens[at] = Lexeme(kind, draw(st.sampled_from(draw(st.sampled_from([own, own, own, KINDS[kind]])))))
    return " ".join(token.text for token in tokens)


def findings(sources: Sequence[SourceFile]) -> Report:
    """All that `segc check` and `segc compile` would find, by the same calls."""
    files, diagnostics = [], []
    for source in sources:
        file, found = parse(source)
        files.append((source, file))
        diagnostics += found
    if diagnostics:
        _, more = resolve([file for _, file in files])
        return Report((*diagnostics, *more), tuple(sources)).sorted()
    checked = compile.check(files)
    diagnostics += checked.diagnostics
    if checked.sound:
        built = compile.build(checked.policy, files)
        diagnostics += built.diagnostics
        broken = any(each.severity is Severity.ERROR for each in built.diagnostics)
        assert bool(built.artifacts) != broken, "all artifacts or none"
    return apply_acceptances(Report(tuple(diagnostics), tuple(sources)).sorted())


def placed(diagnostics: Iterable[Diagnostic], sources: Sequence[SourceFile]) -> None:
    texts = {source.path: source.text for source in sources}
    for each in diagnostics:
        assert each.primary is not None, each.message
        for label in (each.primary, *each.secondary):
            span = label.span
            assert 0 <= span.start <= span.end <= len(texts[span.path]), each
        assert each.primary.span.start < each.primary.span.end or not texts[each.primary.span.path], each
        assert each.message
        assert "\n" not in each.message


def harmless(*texts: str) -> Report:
    sources = [SourceFile(f"p/{number}.seg", text) for number, text in enumerate(texts)]
    started = process_time()
    report = findings(sources)
    placed(report.diagnostics, sources)
    for render in (render_json, render_sarif):
        json.loads(render(report))
    render_github(report)
    render_junit(report, strict=True)
    assert render_text(report, color=True, width=60).count("\n") < 10_000
    assert process_time() - started < SECONDS
    return report


@settings(max_examples=EXAMPLES, deadline=None)
@given(damaged())
@example("")
@example("\ufeff")
@example("zone")
def test_damaged_samples(text: str) -> None:
    harmless(text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(alike())
def test_samples_with_other_values(text: str) -> None:
    harmless(text)


def lines(*patterns: str, count: int) -> str:
    return "\n".join(pattern.replace("%", str(number)) for number in range(count) for pattern in patterns)


MILLIONS = 10_000_000
WALLS = {
    "one line": "a" * MILLIONS,
    "one string": 'timezone "' + "\\" * MILLIONS,
    "spaces": " " * MILLIONS + "x",
    "comments": "# segc: accept\n" * 100_000,
    "open braces": "zone a { " * 100_000,
    "braces": "{" * 1_000_000,
    "parentheses": "allow group g in " + "(" * 1_000_000,
    "quotes": '"\n' * 1_000_000,
    "no end": "allow " + "a," * 200_000,
    "syntax errors": "alow\n" * 100_000,
    "nested sets": "".join(f"set s{n} = s{(n + 1) % 10_000}\n" for n in range(10_000)),
    "circle of groups": "".join(f"group g{n} {{ group g{(n + 1) % 5000} }}\n" for n in range(5000)),
    "groups in each other": "".join(
        f"group g{n} {{ group {', '.join(f'g{m}' for m in range(150))} }}\n" for n in range(150)
    ),
    "overlapping zones": lines("zone z% { subnet 10.0.0.0/8 }", count=5000),
    "overlapping hosts": "zone z { subnet 10.0.0.0/8 " + lines("host h% = 10.0.0.0/9", count=5000) + "}",
    "published twice": "zone a { subnet 10.0.0.0/24 host h = 10.0.0.5 } zone i { external } gateway g {"
    " interface lan0 { zone a } interface wan0 { zone i } "
    + lines("publish tcp/1-60000 on wan0 -> a.h", count=5000)
    + "}",
    "one VLAN": lines("zone z% { vlan 7 subnet 10.%.0.0/16 }", count=5000),
    "one name": lines("zone z { subnet 10.0.0.0/24 }", count=50_000),
    "acceptances": lines('timezone "UTC" # segc: accept SEG9% -- x', count=20_000),
    "100,000 unknown names": lines("zone zone-% { }", count=300)
    + lines("allow zonne-% -> zone-%x : service-%", count=34_000),
}


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


@pytest.mark.parametrize("name", WALLS)
def test_walls_of_text(name: str, tmp_path: Path) -> None:
    """Exit code 1 and something to read, within 60 s of CPU time and 1 GiB of address space."""
    (tmp_path / "p.seg").write_text(WALLS[name], "utf-8")
    command = [sys.executable, "-m", "segc", "check", "p.seg"]
    environment = {**os.environ, "SEGC_CACHE": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bounded,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert re.match(r"error\[SEG\d{3}\]: ", done.stdout)
    assert len(done.stdout) < 1_000_000
