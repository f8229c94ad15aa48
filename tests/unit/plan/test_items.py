"""Artifacts compared item by item, on what the backends really write."""

from __future__ import annotations

import json

from segc.cli.former import text_items
from segc.plan.items import file_changes, line_changes, link_changes, state_digest, table_changes
from segc.plan.model import Action
from tests.netns.policy import compile_text
from tests.unit.cli.policies import CLEAN


def items(text: str) -> dict:
    return dict(text_items(compile_text(text).ruleset("gw1")))


def summary(before: str, after: str) -> set[tuple[str, str]]:
    return {(each.action.value, each.kind) for each in table_changes(items(before), items(after))}


def test_lines_that_moved_are_no_change() -> None:
    assert table_changes(items(CLEAN), items("# a comment\n\n" + CLEAN)) == ()


def test_a_flow_is_a_counter_and_its_elements() -> None:
    more = CLEAN + "allow hr -> internet : tcp/8443\n"
    assert summary(CLEAN, more) == {("add", "counter"), ("add", "element")}
    assert summary(more, CLEAN) == {("remove", "counter"), ("remove", "element")}


def test_a_rule_is_told_within_its_chain() -> None:
    changes = table_changes(items(CLEAN), items(CLEAN.replace("08:00-18:00", "08:00-19:00")))
    rules = [each for each in changes if each.kind == "rules"]
    assert rules
    for each in rules:
        sides = [json.loads(text) if text else [] for text in (each.before, each.after)]
        assert sides[0] != sides[1]


def test_the_order_of_rules_counts_and_that_of_elements_does_not() -> None:
    one = {("rules", "c", ""): '["a","b"]', ("element", "s", "1"): "", ("element", "s", "2"): ""}
    other = {("element", "s", "2"): "", ("element", "s", "1"): "", ("rules", "c", ""): '["b","a"]'}
    assert [(each.action, each.kind, each.name) for each in table_changes(one, other)] == [
        (Action.CHANGE, "rules", "c")
    ]
    assert state_digest(one, []) != state_digest(other, [])
    assert state_digest(one, []) == state_digest(dict(reversed(one.items())), [])
    assert state_digest(one, []) != state_digest(one, ["put VLAN 1 on p1"])


def links(text: str) -> str:
    port = {"name": "p1", "pvid": None, "tagged": [10, 20], "isolated": False}
    bridge = {"name": "br0", "pvid": None, "tagged": [], "ports": [port]}
    return json.dumps({"node": "gw", "bridges": [bridge], "devices": []}).replace("[10, 20]", text)


def test_a_vlan_is_one_fact() -> None:
    changes = link_changes(links("[10, 20]"), links("[10, 30]"))
    assert {(each.action.value, each.name, each.before or each.after) for each in changes} == {
        ("remove", "p1", "carries VLAN 20 tagged"),
        ("add", "p1", "carries VLAN 30 tagged"),
    }
    assert len(link_changes(None, links("[]"))) == 2


def test_lines_of_other_files() -> None:
    before = {"switch.cfg": "a\nb\nc\n", "manifest.json": "1", "policy/x.seg": "1", "ruleset.nft": "1"}
    after = {
        "switch.cfg": "a\nx\nc\n",
        "manifest.json": "2",
        "policy/x.seg": "2",
        "ruleset.nft": "2",
        "new": "n\n",
    }
    assert [
        (each.action.value, each.name, each.before + each.after) for each in file_changes(before, after)
    ] == [
        ("add", "new", "n"),
        ("remove", "switch.cfg", "b"),
        ("add", "switch.cfg", "x"),
    ]
    assert list(line_changes(["a"], ["a"])) == []
