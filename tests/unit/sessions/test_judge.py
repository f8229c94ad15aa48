"""What the policy makes of claims: sources, bounds, sets, postures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from segc.compile import build
from segc.identity.claim import Claim, ClaimError, claim_of, packed, unpacked
from segc.sessions.book import Book, BookError, read_book
from segc.sessions.clock import Moment
from segc.sessions.judge import RefusedError, Situation, assurance, check_names, judge, strayed
from segc.sessions.posture import Known
from segc.sessions.records import Kept
from segc.sessions.session import Session, Verdict
from segc.sessions.telling import why
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.netns.policy import compile_text

NOW = Moment(1_800_000_000.0, 5000.0)
POLICY = """
zone vpn { subnet 10.8.0.0/24, 2001:db8:8::/64 }
zone desk { subnet 10.9.0.0/24 }
zone erp { subnet 10.2.0.0/24 }
group staff { user "ana@x.example", "bo@x.example"  group chiefs }
group chiefs { user "CY@x.example" }
posture managed { disk_encrypted = true  os_version >= "14.2" }
session staff { max 10h idle 1h }
session chiefs { max 2h }
source hq openvpn { zone vpn  mfa  posture managed  max 3h }
source nac radius { zone desk }
source feed posture { posture managed }
gateway gw { interface a { zone vpn } interface b { zone erp } interface c { zone desk } }
allow group staff -> erp : tcp/443
allow group chiefs -> erp : tcp/22 require mfa
allow group staff -> erp : tcp/25 require mfa, posture managed
"""


def book_of(policy: str) -> Book:
    source = SourceFile("policy.seg", policy)
    built = build(compile_text(policy).policy, [(source, parse(source)[0])])
    return read_book(next(each.text for each in built.artifacts if each.name == "sessions.json"))


BOOK = book_of(POLICY)
OPEN = book_of("\n".join(line for line in POLICY.splitlines() if not line.startswith("source")))


def claim(**more: Any) -> Claim:
    document = {
        "user": "ana@x.example",
        "addresses": ["10.8.0.6"],
        "source": "hq",
        "kind": "openvpn",
        "id": "1",
    }
    return claim_of({**document, **more}, NOW.wall)


def judged(
    given: Claim, situation: Situation | Book = BOOK, began: float = NOW.boot, active: float = NOW.boot
) -> Verdict:
    situation = Situation(situation) if isinstance(situation, Book) else situation
    return judge(Session(given, began, NOW.boot, active, given.at), situation, NOW)


def words(verdict: Verdict) -> list[str]:
    return [membership.words for membership, _ in verdict.held]


def test_groups_and_a_second_factor_decide_on_sets() -> None:
    assert words(judged(claim())) == ["group staff"]
    assert words(judged(claim(user="Cy@X.example"))) == ["group staff"]
    assert words(judged(claim(user="cy@x.example", mfa=True))) == ["group chiefs with mfa", "group staff"]
    assert words(judged(claim(user="nobody@x.example"))) == []


def test_the_least_of_all_bounds_is_the_session_s() -> None:
    for user, ttl, began, seconds, bound in (
        ("ana@x.example", None, 0, 3600, "hq vouches for 3600 s"),
        ("ana@x.example", 60, 0, 60, "hq vouches for 60 s"),
        ("ana@x.example", 36000, 0, 3 * 3600, "source hq: max 10800 s"),
        ("ana@x.example", 36000, -1000, 3 * 3600 - 1000, "source hq: max 10800 s"),
        ("cy@x.example", 36000, 0, 2 * 3600, "session chiefs: max 7200 s"),
    ):
        verdict = judged(claim(user=user, ttl=ttl), began=NOW.boot + began)
        assert (verdict.until - NOW.boot, verdict.bound) == (seconds, bound)
    with pytest.raises(RefusedError, match="it is over: source hq"):
        judged(claim(ttl=36000), began=NOW.boot - 3 * 3600)
    with pytest.raises(RefusedError, match="nothing was heard of it for 3600 s"):
        judged(claim(), active=NOW.boot - 3600)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"addresses": ["10.9.0.6"]}, "10.9.0.6 is in no zone that `hq` vouches for: `vpn`"),
        ({"addresses": ["10.8.0.6", "2001:db8:9::1"]}, "2001:db8:9::1 is in no zone"),
        ({"source": "other"}, "the policy knows no source `other`"),
        ({"kind": "radius"}, "is of kind `openvpn`, not `radius`"),
    ],
)
def test_a_source_speaks_of_its_zones_only(more: dict[str, Any], error: str) -> None:
    with pytest.raises(RefusedError, match=error.replace("`", "`")):
        judged(claim(**more))
    assert words(judged(claim(**more), OPEN)) == ["group staff"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"postures": ["manged"]}, "the policy knows no posture `manged`: did you mean `managed`?"),
        (
            {"facts": {"os_versoin": "14"}},
            "the policy knows no fact `os_versoin`: did you mean `os_version`?",
        ),
        ({"facts": {"colour": "blue"}}, "the policy knows no fact `colour`"),
    ],
)
def test_a_name_of_a_posture_or_fact_that_nobody_defined_is_a_slip(more: dict[str, Any], error: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_names(claim(**more), BOOK)
    assert str(refused.value) == error
    check_names(claim(postures=["managed"], facts={"disk_encrypted": True, "os_version": "15"}), BOOK)


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("disk_encrypted", "True", """is `"True"`, and posture `managed` asks for `true` or `false`"""),
        ("disk_encrypted", 1, "is `1`, and posture `managed` asks for `true` or `false`"),
        (
            "os_version",
            14,
            """is `14`, and posture `managed` asks for a version as a string, such as `"14.2"`""",
        ),
        ("os_version", "14.x", """is `"14.x"`, and posture `managed` asks for a version as a string"""),
        ("level", True, "is `true`, and posture `fit` asks for a whole number, such as `3`"),
        ("channel", 1, """is `1`, and posture `fit` asks for a string, such as `"prod"`"""),
        ("seen", "yesterday", "asks for a date as a string"),
    ],
)
def test_a_fact_of_another_type_is_a_slip(fact: str, value: Any, words: str) -> None:
    more = 'posture fit { level >= 3  channel = "prod"  seen within 7d }\n'
    book = book_of(
        POLICY.replace("session staff", f"{more}session staff").replace(
            "tcp/443", "tcp/443 require posture fit"
        )
    )
    with pytest.raises(RefusedError) as refused:
        check_names(claim(facts={fact: value}), book)
    assert f"the fact `{fact}` is" in str(refused.value)
    assert words in str(refused.value)
    right = {"disk_encrypted": False, "os_version": "14", "level": 1, "channel": "", "seen": "2026-01-01"}
    check_names(claim(facts=right), book)


def test_an_address_in_no_zone_is_told_of() -> None:
    outside = claim(addresses=["10.8.0.6", "10.99.0.1", "2001:db8:9::1"])
    assert strayed(outside, BOOK) == (
        "10.99.0.1, 2001:db8:9::1 are in no zone of the policy: nothing opens there"
    )
    assert strayed(claim(addresses=["10.2.0.6"]), BOOK) == ""
    assert strayed(outside, replace(BOOK, space=None)) == "", "an earlier segc did not say where zones are"
    assert strayed(outside, book_of(POLICY + "zone net { external }")) == ""


def test_a_second_factor_counts_where_the_source_may_vouch_for_it() -> None:
    there = {
        "addresses": ["10.9.0.6"],
        "source": "nac",
        "kind": "radius",
        "user": "cy@x.example",
        "mfa": True,
    }
    assert words(judged(claim(**there))) == ["group staff"]
    assert words(judged(claim(**there), OPEN)) == ["group chiefs with mfa", "group staff"]
    assert str(assurance(claim(**there), BOOK)) == "password"
    assert str(assurance(claim(**there), OPEN)) == "password+mfa"


def test_who_proved_too_little_is_not_called_a_stranger() -> None:
    """Chiefs need a second factor, so what is said of one without it is true of strangers and of her."""
    chiefs = book_of(POLICY.replace("allow group staff -> erp : tcp/443", ""))
    session = Session(claim(user="cy@x.example"), NOW.boot, NOW.boot, NOW.boot, NOW.wall)
    found = why(session.judged(judge(session, Situation(chiefs), NOW)))
    assert found.startswith("no flow asks for this person with what is proved; ends because ")


GOOD = {"disk_encrypted": True, "os_version": "14.10"}
MANAGED = "group staff with mfa, posture managed"


def test_postures_by_name_by_facts_and_by_the_feed_of_the_device() -> None:
    assert MANAGED not in words(judged(claim(mfa=True)))
    assert MANAGED in words(judged(claim(mfa=True, postures=["managed"])))
    assert MANAGED in words(judged(claim(mfa=True, facts=GOOD)))
    assert MANAGED not in words(judged(claim(mfa=True, facts={**GOOD, "os_version": "14.1"})))
    told = {(name, "feed"): Known(value, NOW.wall + 50, NOW.wall - 1, "feed") for name, value in GOOD.items()}
    situation = Situation(BOOK, {"laptop": told})
    verdict = judged(claim(mfa=True, device="laptop"), situation)
    assert {m.words: limit for m, limit in verdict.held}[MANAGED] == NOW.boot + 50
    assert MANAGED not in words(judged(claim(mfa=True, device="other"), situation))
    bad = {**told, ("disk_encrypted", "feed"): Known(False, NOW.wall + 50, NOW.wall + 0, "feed")}
    assert MANAGED not in words(
        judged(claim(mfa=True, device="laptop", facts=GOOD), Situation(BOOK, {"laptop": bad}))
    )
    unknown = {name: fact._replace(source="stranger") for name, fact in told.items()}
    assert MANAGED not in words(
        judged(claim(mfa=True, device="laptop"), Situation(BOOK, {"laptop": unknown}))
    )
    kept = Kept()
    for source, encrypted in (("feed", True), ("stranger", False)):
        kept.tell("laptop", {**GOOD, "disk_encrypted": encrypted}, NOW.wall - 1, NOW.wall + 50, source)
    assert MANAGED in words(judged(claim(mfa=True, device="laptop"), Situation(BOOK, kept.devices)))
    early = {name: fact._replace(at=NOW.wall + 9) for name, fact in told.items()}
    assert MANAGED not in words(judged(claim(mfa=True, device="laptop"), Situation(BOOK, {"laptop": early})))


def test_two_words_of_one_moment_leave_a_fact_unknown() -> None:
    """Feeds have seconds: a disk that is decrypted in the second of its report must not stay encrypted."""
    kept = Kept()
    at, until = NOW.wall - 10, NOW.wall + 3600
    good = {"disk_encrypted": True, "os_version": "14.5"}
    assert kept.tell("laptop", good, at, until, "feed")
    assert not kept.tell("laptop", good, at, until, "feed")
    here = claim(mfa=True, device="laptop")
    assert MANAGED in words(judged(here, Situation(BOOK, kept.devices)))
    assert kept.tell("laptop", {"disk_encrypted": False}, at, until, "feed")
    assert not kept.tell("laptop", good, at, until, "feed")
    assert MANAGED not in words(judged(here, Situation(BOOK, kept.devices)))
    assert kept.tell("laptop", good, at + 1, until, "feed")
    assert MANAGED in words(judged(here, Situation(BOOK, kept.devices)))


@pytest.mark.parametrize("sources", [("hq", "feed"), ("feed", "hq"), ("hq", "feed", "hq2")])
def test_two_feeds_that_differ_of_one_moment_leave_a_fact_unknown(sources: tuple[str, ...]) -> None:
    book = replace(BOOK, sources={**BOOK.sources, "hq2": BOOK.sources["hq"]})
    kept, at = Kept(), NOW.wall - 10
    for number, source in enumerate(sources):
        kept.tell("laptop", {**GOOD, "disk_encrypted": number != 1}, at, NOW.wall + 3600, source)
    here = claim(mfa=True, device="laptop")
    assert MANAGED not in words(judged(here, Situation(book, kept.devices)))
    kept.tell("laptop", GOOD, at + 1, NOW.wall + 3600, "feed")
    assert MANAGED in words(judged(here, Situation(book, kept.devices)))


def test_who_is_barred_is_of_no_group_or_not_of_these() -> None:
    with pytest.raises(RefusedError, match="was revoked"):
        judged(claim(), Situation(BOOK, {}, {"ana@x.example": None}))
    partly = Situation(BOOK, {}, {"cy@x.example": frozenset({"group chiefs"})})
    assert words(judged(claim(user="cy@x.example", mfa=True), partly)) == ["group staff"]


@pytest.mark.parametrize(
    ("flow", "held"),
    [
        ("deny group chiefs -> erp : tcp/443", ["group chiefs", "group staff"]),
        ("deny any -> group chiefs : any", ["group chiefs", "group staff"]),
        ("allow desk except group chiefs -> erp : tcp/80", ["group chiefs", "group staff"]),
        ("deny vpn except group chiefs -> erp : tcp/80", ["group staff"]),
        ("staged deny group chiefs -> erp : tcp/443", ["group staff"]),
    ],
)
def test_who_is_barred_from_a_group_is_kept_out_of_what_it_is_kept_out_of(flow: str, held: list[str]) -> None:
    """A directory alone opens nothing: what opens is reviewed."""
    left = {"cy@x.example": frozenset({"group chiefs"})}
    assert words(judged(claim(user="cy@x.example"), Situation(book_of(POLICY + flow), {}, left))) == held


def test_who_is_barred_from_a_group_that_opens_and_closes_has_no_session() -> None:
    """Its one set can be neither left nor stayed in."""
    both = book_of(POLICY + "allow group chiefs -> erp : tcp/23\ndeny group chiefs -> erp : tcp/443\n")
    left = {"cy@x.example": frozenset({"group chiefs"})}
    with pytest.raises(RefusedError, match="group chiefs, which keeps something shut as well"):
        judged(claim(user="cy@x.example"), Situation(both, {}, left))
    assert judged(claim(), Situation(both, {}, left))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"user": ""}, "`user` must be a name"),
        ({"user": "  "}, "`user` must be a name"),
        ({"user": "a\nb"}, "printable"),
        ({"user": "x" * 300}, "printable"),
        ({"user": ["ana"]}, "`user` must be a name"),
        ({"addresses": []}, "1 to 64 addresses"),
        ({"addresses": ["10.8.0.0/24"]}, "no address of a host"),
        ({"addresses": ["224.0.0.1"]}, "one host"),
        ({"addresses": ["127.0.0.1"]}, "one host"),
        ({"addresses": ["fe80::1"]}, "one host"),
        ({"addresses": ["2001:db8::1%eth0"]}, "scope"),
        ({"addresses": [17]}, "no address of a host"),
        ({"kind": "oracle"}, "there is no kind of source `oracle`"),
        ({"kind": "posture"}, "binds nobody"),
        ({"mac": "eth0"}, "is no MAC address"),
        ({"mfa": "yes"}, "`mfa` must be true or false"),
        ({"ttl": 0}, "`ttl` must be"),
        ({"ttl": True}, "`ttl` must be"),
        ({"ttl": float("nan")}, "`ttl` must be"),
        ({"at": float("inf")}, "`at` must be"),
        ({"at": -1}, "`at` must be"),
        ({"facts": {"a": 10**400}}, "a whole number"),
        ({"facts": {"a": 1.5}}, "versions and dates are strings"),
        ({"facts": []}, "`facts` must be"),
        ({"postures": "managed"}, "`postures` must"),
        ({"root": True}, "`root` says nothing"),
    ],
)
def test_claims_that_cannot_be(more: dict[str, Any], error: str) -> None:
    with pytest.raises(ClaimError, match=error):
        claim(**more)


def test_claims_are_read_as_written() -> None:
    full = claim(
        mac="02-00-00-00-00-1E", device="laptop", mfa=True, postures=["b", "a"], facts=GOOD, ttl=9.5, at=17
    )
    assert (full.mac, full.ttl, full.at) == ("02:00:00:00:00:1e", 9, 17.0)
    for each in (full, claim(), replace(full, facts={})):
        assert claim_of(each.document(), NOW.wall) == each
        assert unpacked(json.loads(json.dumps(packed(each)))) == each
    assert claim(at=NOW.wall + 1000).at == claim(at=10**400).at == NOW.wall
    assert claim(addresses=["::ffff:10.8.0.6", "10.8.0.6"]).addresses == claim().addresses


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "sets": 3}', "null", "[" * 100_000]
)
def test_books_of_another_format_are_refused(text: str) -> None:
    with pytest.raises(BookError):
        read_book(text)
