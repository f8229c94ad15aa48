"""Lines of `test` blocks are judged at every moment, by everybody they speak of; what they show is real."""

import re
from datetime import datetime
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segc.analysis.expectations import check_tests
from segc.diagnostics.model import Severity
from segc.policy.claims import Claims, Situation
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.trace import Packet, trace

POLICY = """
timezone "Europe/Berlin"
zone a { subnet 10.0.1.0/24 }
zone b { subnet 10.0.2.0/24 }
group staff { user "ana" }
posture fit { edr = true }
%s
test "t" { %s }
"""
SHOWN = re.compile(r"for instance: (\S+) -> (\S+) tcp/(\d+)(?: \((.*)\))? is (allowed|denied)")


def check(flows, line):
    file, broken = parse(SourceFile("policy.seg", POLICY % ("\n".join(flows), line)))
    assert not broken
    policy, findings = resolve([file])
    assert not [each for each in findings if each.severity is Severity.ERROR], findings
    return policy, list(check_tests(policy))


def verdict(policy, packet, situation):
    return trace(policy, packet, situation).verdict


def agrees(policy, note):
    """Whether `segc trace`, asked for what a finding shows, gives the verdict that it names."""
    source, destination, port, words, word = SHOWN.match(note).groups()
    words = words or ""
    user = re.search(r'from user "(\w+)"', words)
    group = re.search(r"from group (\w+)", words)
    at = re.search(r"at (\S+ \S+)$", words)
    moment = datetime.fromisoformat(at[1]).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() if at else 0
    claims = Claims(
        user[1] if user else None,
        frozenset({group[1]} if group else ()),
        "with mfa" in words,
        frozenset({"fit"} if "posture fit" in words else ()),
    )
    packet = Packet(ip_address(source), ip_address(destination), 6, int(port))
    return verdict(policy, packet, Situation(claims, at=int(moment))) == {"allowed": "allow"}.get(
        word, "deny"
    )


MORNING, EVENING = (
    "allow a -> b : tcp/80 when daily 00:00-12:00",
    "allow a -> b : tcp/80 when daily 12:00-24:00",
)


@pytest.mark.parametrize(
    ("flows", "line", "holds"),
    [
        ([MORNING], "allow a -> b : tcp/80", False),
        ([MORNING], "deny a -> b : tcp/80", False),
        ([MORNING, EVENING], "allow a -> b : tcp/80", True),
        ([MORNING, MORNING.replace("allow", "deny")], "deny a -> b : tcp/80", True),
        ([MORNING, "deny a -> b : any when daily 11:00-13:00"], "deny a -> b : tcp/80", False),
        (["allow a -> b : tcp/80", "deny a -> b : tcp/80 until 2027-01-01"], "allow a -> b : tcp/80", False),
        (
            ["allow a -> b : tcp/80", "staged deny a -> b : any until 2027-01-01"],
            "allow a -> b : tcp/80",
            True,
        ),
        (["allow group staff -> b : tcp/80 require mfa"], "allow group staff -> b : tcp/80", False),
        (["allow group staff -> b : tcp/80 require mfa"], "allow group staff -> b : tcp/80 with mfa", True),
        (["allow group staff -> b : tcp/80 require mfa"], 'deny user "ana" -> b : tcp/80 with mfa', False),
    ],
)
def test_a_line_without_a_moment_speaks_of_all(flows, line, holds):
    policy, findings = check(flows, line)
    assert not findings if holds else len(findings) == 1
    assert all(agrees(policy, note) for each in findings for note in each.notes)


TIMES = (
    "", "when daily 06:00-18:00", "when daily 18:00-06:00", "when sat,sun 00:00-24:00", "until 2026-06-30",
    "from 2026-07-01", "when mon-fri 00:00-24:00", "when daily 12:00-20:00 until 2026-12-31",
)  # fmt: skip
MOMENTS = [
    int(datetime(2026, month, day, hour, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    for month in (6, 7, 12) for day in range(1, 15) for hour in range(0, 24, 2)
] + [int(datetime(2027, 1, day, hour, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
     for day in range(1, 9) for hour in range(0, 24, 2)]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(("allow", "deny")), st.sampled_from(TIMES)), max_size=4, unique=True),
    st.sampled_from(("allow", "deny")),
)
def test_it_holds_if_and_only_if_it_holds_at_every_moment(flows, wanted):
    texts = [f"{action} a -> b : tcp/80 {when}" for action, when in flows]
    policy, findings = check(texts, f"{wanted} a -> b : tcp/80")
    packet = Packet(ip_address("10.0.1.1"), ip_address("10.0.2.1"), 6, 80)
    everywhere = all(verdict(policy, packet, Situation(at=at)) == wanted for at in MOMENTS)
    assert bool(findings) != everywhere
    assert all(agrees(policy, note) for each in findings for note in each.notes)
