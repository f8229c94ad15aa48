"""`sessions.json`: the ruleset's sets of people, and what a claim must prove to get into them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

import segc
from segc.backends import nftables
from segc.policy.model import Policy
from tests.unit.backends.helpers import NAMES, files, policy, sample

SCHEMA = json.loads((Path(segc.__file__).parent / "schemas" / "sessions.schema.json").read_text("utf-8"))
TEXT = """
zone vpn { subnet 10.8.0.0/24, 2001:db8:8::/64 }
zone erp { subnet 10.1.0.0/24 }
group leads { user "ana@acme.example" }
group staff { user "bo@acme.example"; group leads, finance }
group finance from directory "sg-finance"
posture managed { disk_encrypted = true; os_version >= "14.2"; cores >= 4 }
session staff { max 10h; idle 1h }
session leads { max 1h }
allow group staff in vpn -> erp : tcp/443 require mfa, posture managed
deny user "bo@acme.example" -> erp : tcp/22
"""


def sessions(of: Policy, gateway: str = "gateway") -> Any:
    found = json.loads(files(nftables.emit, of)[f"{gateway}/sessions.json"])
    validate(found, SCHEMA)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_sets_are_those_of_the_ruleset(name: str) -> None:
    of = sample(name)
    texts = files(nftables.emit, of)
    for gateway in of.gateways:
        declared = set(re.findall(r"^\tset (who[46]_\S+) \{", texts[f"{gateway}/ruleset.nft"], re.MULTILINE))
        found = sessions(of, gateway)
        assert {each[family] for each in found["sets"] for family in ("ipv4", "ipv6")} == declared
        assert {who for each in found["sets"] for who in each["people"]} == set(found["people"])


def test_people_and_lifetimes_are_expanded_through_groups_and_directories() -> None:
    of = replace(
        policy(TEXT), directories={"sg-finance": frozenset({"cem@acme.example"}), "sg-x": frozenset()}
    )
    found = sessions(of)
    everybody = ["ana@acme.example", "bo@acme.example", "cem@acme.example"]
    assert found["people"] == {"group staff": everybody, "user bo@acme.example": ["bo@acme.example"]}
    assert found["lifetimes"] == {
        "staff": {"max": 36000, "idle": 3600, "people": everybody},
        "leads": {"max": 3600, "idle": None, "people": ["ana@acme.example"]},
    }


def test_nobody_is_in_a_directory_group_that_no_snapshot_knows() -> None:
    assert sessions(policy(TEXT))["people"]["group staff"] == ["ana@acme.example", "bo@acme.example"]


def test_a_set_says_what_a_claim_must_prove() -> None:
    staff, bo = sessions(policy(TEXT))["sets"]
    assert (staff["people"], staff["mfa"], staff["postures"]) == (["group staff"], True, ["managed"])
    assert (bo["people"], bo["mfa"], bo["postures"]) == (["user bo@acme.example"], False, [])


def test_facts_keep_their_types() -> None:
    facts = sessions(policy(TEXT))["postures"]["managed"]
    assert [(each["fact"], each["operator"], each["value"]) for each in facts] == [
        ("disk_encrypted", "=", True),
        ("os_version", ">=", "14.2"),
        ("cores", ">=", 4),
    ]
