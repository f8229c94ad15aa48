"""From where on checks of segmentation speak up: the thresholds, each with the document behind it.

Documents say which way is wrong and none says how far is too far, so a figure is a judgement; `why` says
what it rests on. A policy sets its own in a `limits` block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from segc.frozen import frozen
from segc.policy.scope import Findings
from segc.source import Span
from segc.space.words import is_decimal
from segc.syntax import tree

GREATEST = 10**6


@frozen
class Threshold:
    """`default` in `unit`; a finding of `check` needs more than that, or as `sense` says."""

    default: int
    unit: str
    check: int  # 402 for SEG402
    source: str
    why: str
    sense: str = "more than"


NIST_207 = "NIST SP 800-207 (2020), 2.1 and 3.1.2"
NIST_125B = "NIST SP 800-125B (2016), on network segmentation"
PCI = "PCI DSS v4.0.1"
CIS = "CIS Controls v8.1"
CISCO = "Cisco SD-Access Segmentation Design Guide (2018)"
WOOL = "Wool, Trends in Firewall Configuration Errors, IEEE Internet Computing 14(4), 2010"

THRESHOLDS: Mapping[str, Threshold] = {
    "near-statements": Threshold(
        2,
        "statements",
        402,
        CISCO,
        "segments are for what differs in policy; two lines are no difference",
    ),
    "near-share": Threshold(
        75,
        "percent",
        402,
        CISCO,
        "a quarter of what is said of a zone is character, less is an accident",
        "at least",
    ),
    "zone-hosts": Threshold(
        1,
        "hosts",
        403,
        NIST_125B,
        "a segment holds machines of one kind; one machine is a rule, not a zone",
        "at most",
    ),
    "hosts-per-zone": Threshold(
        3,
        "hosts",
        404,
        NIST_125B,
        "a VLAN, a subnet and a row of the matrix for every two hosts",
        "fewer than",
    ),
    "small-zones": Threshold(5, "zones", 404, NIST_125B, "below that, averages say nothing", "at least"),
    "workflow-crossings": Threshold(
        8,
        "crossings",
        405,
        f"{CIS}, 12.2 (availability)",
        "each enforcement point on the way can stop the work",
    ),
    "workflow-flows": Threshold(
        12, "flows", 405, WOOL, "what takes more statements than a page shows is changed by guessing"
    ),
    "open-ports": Threshold(
        90,
        "percent",
        406,
        f"{CIS}, 13.4",
        "filtering that lets nine in ten ports pass both ways filters nothing",
        "at least",
    ),
    "exceptions": Threshold(
        100,
        "percent",
        408,
        WOOL,
        "errors grow with the complexity of a rule set; an exception reads two rules",
    ),
    "person-zones": Threshold(
        5, "zones", 409, NIST_207, "access follows the person and the device, not the place they sit in"
    ),
    "flows-per-service-set": Threshold(
        20,
        "flows",
        410,
        f"{PCI}, 1.2.7",
        "every statement is reviewed twice a year, the same words or not",
    ),
    "flow-ports": Threshold(
        1024,
        "ports",
        411,
        f"{PCI}, 1.2.5; {WOOL}",
        "more ports than the well-known ones is no service with a need",
    ),
    "inward-addresses": Threshold(
        16,
        "addresses",
        411,
        f"{PCI}, 1.4.2",
        "what is meant for the public is a few systems, not a network",
    ),
    "blast-radius": Threshold(
        50,
        "percent",
        412,
        NIST_207,
        "a zone from which half of all others is one step away contains nothing",
    ),
}

DEFAULTS: Mapping[str, int] = {name: each.default for name, each in THRESHOLDS.items()}


def resolve_limits(files: Sequence[Sequence[tree.Statement]], findings: Findings) -> Mapping[str, int]:
    """The value of every threshold; `files` holds the statements of each."""
    given: dict[str, Span] = {}
    values = dict(DEFAULTS)
    for setting in _settings(files):
        name = setting.key.text
        if name not in THRESHOLDS:
            known = ", ".join(THRESHOLDS)
            findings.unknown("limit", setting.key, THRESHOLDS, f"there are: {known}")
        elif name in given:
            findings.repeated(f"the limit `{name}`", setting.key, given[name])
        else:
            given[name] = setting.key.span
            values[name] = _value(setting.values[0], findings, values[name])
    return values


def _settings(files: Sequence[Sequence[tree.Statement]]) -> Iterator[tree.Setting]:
    for statements in files:
        for each in statements:
            if isinstance(each, tree.LimitsDef):
                yield from each.settings


def _value(word: tree.Word, findings: Findings, default: int) -> int:
    text = word.text
    if is_decimal(text) and len(text) <= 7 and int(text) <= GREATEST:
        return int(text)
    help = f"write a whole number from 0 to {GREATEST}, without a unit"
    findings.add("SEG104", f"`{text}` is not a limit", word.span, "not a number", help=help)
    return default
