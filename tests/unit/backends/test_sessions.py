"""`sessions.json`: the ruleset's sets of people, and what a claim must prove to get into them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

import segc
from segc.backends import nftables
from segc.identity.kinds import KINDS
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.workspace import of_texts
from tests.unit.backends.helpers import NAMES, files, policy, sample

SCHEMA = json.loads((Path(segc.__file__).parent / "schemas" / "sessions.schema.json").read_text("utf-8"))
TEXT = """
zone vpn { subnet 10.8.0.0/24, 2001:db8:8::/64 }
zone erp { subnet 10.1.0.0/24 }
group leads { user "ana@acme.example" }
group staff { user "bo@acme.example"; group leads, finance }
group finance from directory "sg-finance"
posture managed { disk_encrypted = true; os_version >= "14.2"; cores >= 4; patched within 30d; os = "debian" }
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


SNAPSHOT = """{"format": 1, "directories": {"corp": {"kind": "ldap", "source": "x",
  "users": ["cem@acme.example"], "groups": {"sg-finance": {"id": "1", "members": ["cem@acme.example"]}}}}}"""


def test_people_and_lifetimes_are_expanded_through_groups_and_directories() -> None:
    read = of_texts({"p.seg": TEXT, "identities.lock.json": SNAPSHOT})
    found = sessions(resolve([file for _, file in read.files])[0])
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
    assert [(each["fact"], each["operator"], each["value"], each["type"]) for each in facts] == [
        ("disk_encrypted", "=", True, "boolean"),
        ("os_version", ">=", "14.2", "version"),
        ("cores", ">=", 4, "integer"),
        ("patched", "within", 30 * 86400, "date"),
        ("os", "=", "debian", "string"),
    ]


def test_sources_say_where_and_for_what_they_vouch() -> None:
    source = (
        "source hq openvpn { zone vpn; mfa; posture managed; max 12h } source pos posture { posture managed }"
    )
    found = sessions(policy(TEXT + source + " directory corp { sync 5m }"))
    assert found["sources"] == {
        "hq": {
            "kind": "openvpn",
            "zones": ["vpn"],
            "prefixes": ["10.8.0.0/24", "2001:db8:8::/64"],
            "mfa": True,
            "posture": True,
            "postures": ["managed"],
            "max": 43200,
        },
        "pos": {
            "kind": "posture",
            "zones": [],
            "prefixes": [],
            "mfa": False,
            "posture": True,
            "postures": ["managed"],
            "max": None,
        },
    }
    assert found["directories"] == {"corp": {"sync": 300, "timeout": 30}}


def test_the_schema_knows_every_kind_of_source() -> None:
    sources = SCHEMA["properties"]["sources"]["additionalProperties"]["properties"]
    assert sources["kind"]["enum"] == list(KINDS)
