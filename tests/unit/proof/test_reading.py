import pytest

from segc.proof.model import ALL_BITS, Effect, Field, Lookup, Mark, Match, UnreadableError, Verdict
from segc.proof.rules import read_rule
from segc.proof.text import read_text

TWO = "\t\t\t0x00000001,\n\t\t\t0x00000002\n"
HEAD = "table inet segc\ndelete table inet segc\n\ntable inet segc {\n"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("goto refuse", (Verdict("goto", "refuse"),)),
        ('iifname != { "a", "b" } drop', (Match(Field("iifname"), frozenset("ab"), True), Verdict("drop"))),
        ("meta mark set meta mark & 0x0000ffff accept", (Mark(0xFFFF, 0), Verdict("accept"))),
        ("meta mark set meta mark | 0x00010000", (Mark(ALL_BITS, 0x10000),)),
        ("meta mark set 0x00010000", (Mark(0, 0x10000),)),
        ("th dport 8000-8100 accept", (Match(Field("th dport"), ((8000, 8100),)), Verdict("accept"))),
        ("ct state established,related drop", (Match(Field("ct state"), ((1, 2),)), Verdict("drop"))),
        ("meta time < 7 accept", (Match(Field("meta time"), ((7, 2**63),), True), Verdict("accept"))),
        (
            'counter name meta mark & 0xff000000 . tcp dport map @m goto x comment "a.seg:1"',
            (
                Lookup((Field("meta mark", 0xFF000000), Field("tcp dport")), "m", True),
                Verdict("goto", "x"),
            ),
        ),
        ("limit rate over 9/second burst 9 packets", (Effect("over", "9/second burst 9"),)),
        ('log prefix "a "', (Effect("log", "a "),)),
        ("dnat ip6 to [2001:db8::1]:80", (Verdict("dnat", "ip6 to [2001:db8::1]:80"),)),
    ],
)  # fmt: skip
def test_rules(text, items):
    assert read_rule(text, 1) == items


@pytest.mark.parametrize(
    "text",
    [
        "accept drop",
        "ip saddr",
        "ip saddr 10.0.0.1/8 accept",
        "ip saddr 2001:db8::1 accept",
        "tcp dport 65536 accept",
        "meta mark 7 accept",
        "ct state astray accept",
        "th dport >= 5 accept",
        "ip saddr >= @x accept",
        "ip saddr & tcp @x accept",
        "queue num 1",
        "accept; accept",
        "log prefix accept",
        "notrack",
        "meta mark set ct mark",
        'counter name "x',
        "ct state != new,untracked accept",
        "ct status { dnat } accept",
        "ct status != dnat accept",
        "ct label { 119, 120 } accept",
        "ct label 119-120 accept",
        "ct label != 119 accept",
        "icmp type redirect,echo-request drop",
        "meta nfproto ipv4,ipv6 accept",
    ],
)
def test_what_is_not_known_is_refused(text):
    with pytest.raises(UnreadableError) as error:
        read_rule(text, 7)
    assert error.value.problem.line == 7


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("\tflowtable f {\n\t}\n", 5),
        ("\tcounter c {\n\t\tpackets 5\n\t}\n", 6),
        ("\tcounter c {\n\t}\n\tcounter c {\n\t}\n", 7),
        ("\tset s {\n\t\ttype mark\n\t\tflags constant\n\t}\n", 5),
        ("\tset s {\n\t\ttype mark\n\t\tsize 1\n\t\telements = {\n" + TWO + "\t\t}\n\t}\n", 5),
        ("\tset s {\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t\tsize 1\n\t}\n", 5),
        ("\tset s {\n\t\ttype mark\n\t\telements = {\n\t\t\t0x00000001,\n\t\t}\n\t}\n", 8),
        ("\tset s {\n\t\ttype mark\n\t\telements = {\n\t\t\t0x1\n\t\t}\n\t}\n", 8),
        ("\tset s {\n\t\ttype mark : verdict\n\t}\n", 5),
        ("\tchain c {\n\t\taccept\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n", 7),
        ("\tchain c {\n\t\taccept\n", 5),
    ],
)  # fmt: skip
def test_blocks_that_are_not_known_are_refused(body, line):
    with pytest.raises(UnreadableError) as error:
        read_text(HEAD + body + "}\n")
    assert error.value.problem.line == line
