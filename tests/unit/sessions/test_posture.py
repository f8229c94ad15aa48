"""Postures over typed facts: what is unknown, stale or of another type fails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from segc.identity.claim import Fact
from segc.sessions.posture import NEVER, Known, Requirement, holds_until

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
DAY = 86400
FRESH = NOW + 3600


def holds(fact: Fact, operator: str, value: Fact, type_: str) -> bool:
    asked = [Requirement("it", operator, value, type_)]
    return holds_until(asked, {"it": Known(fact, FRESH, NOW, "feed")}, NOW) != NEVER


@pytest.mark.parametrize(
    ("fact", "operator", "value", "type_"),
    [
        (True, "=", True, "boolean"),
        (False, "!=", True, "boolean"),
        (3, ">=", 3, "integer"),
        (2, "<", 3, "integer"),
        ("14.10", ">", "14.2", "version"),
        ("14.2", "=", "14.2.0", "version"),
        ("14", ">=", "14.0", "version"),
        ("9.9", "<", "10", "version"),
        ("corp", "=", "corp", "string"),
        ("2026-11-22", "within", 2 * DAY, "date"),
        ("2026-11-23T11:59:59+00:00", "within", 60, "date"),
        (int(NOW) - 10, "within", 60, "date"),
    ],
)
def test_what_holds(fact: Fact, operator: str, value: Fact, type_: str) -> None:
    assert holds(fact, operator, value, type_)


@pytest.mark.parametrize(
    ("fact", "operator", "value", "type_"),
    [
        (False, "=", True, "boolean"),
        (1, "=", True, "boolean"),
        ("true", "=", True, "boolean"),
        ("true", "!=", True, "boolean"),
        (True, ">=", 1, "integer"),
        ("3", ">=", 3, "integer"),
        ("14.2", ">", "14.10", "version"),
        ("14.2-beta", ">=", "14.2", "version"),
        (15, ">=", "14.2", "version"),
        ("", ">=", "0", "version"),
        ("١٥.0", ">=", "14.2", "version"),
        ("Corp", "=", "corp", "string"),
        (True, "!=", "corp", "string"),
        ("2026-11-20", "within", 2 * DAY, "date"),
        ("2026-11-24", "within", 2 * DAY, "date"),
        ("2026-11-23T11:59:59", "within", 60, "date"),
        ("yesterday", "within", 2 * DAY, "date"),
        (True, "within", 2 * DAY, "date"),
        (3, "~", 3, "integer"),
        (3, "=", 3, "colour"),
    ],
)
def test_what_fails(fact: Fact, operator: str, value: Fact, type_: str) -> None:
    assert not holds(fact, operator, value, type_)


def test_unknown_and_stale_facts_fail_and_the_rest_says_until_when() -> None:
    asked = [Requirement("disk", "=", True, "boolean"), Requirement("scan", "within", DAY, "date")]
    disk, scan = Known(True, NOW + 50, NOW, "feed"), Known(int(NOW) - DAY + 20, FRESH, NOW, "feed")
    assert holds_until(asked, {"disk": disk, "scan": scan}, NOW) == NOW + 20
    assert holds_until(asked, {"disk": disk, "scan": scan}, NOW + 20) == NEVER
    assert holds_until(asked[:1], {"disk": disk}, NOW + 49) == NOW + 50
    assert holds_until(asked[:1], {"disk": disk}, NOW + 50) == NEVER
    assert holds_until(asked, {"disk": disk}, NOW) == NEVER
