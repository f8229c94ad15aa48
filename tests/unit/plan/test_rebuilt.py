"""Plans that somebody edited after they were saved: none is applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from segc.compile import build
from segc.plan.make import Told, make_plan
from segc.plan.model import NodePlan
from segc.plan.rebuilt import rebuilt
from segc.plan.saved import plan_json, read_plan
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.unit.cli.policies import CLEAN

Json = dict[str, Any]
WIDER = CLEAN + "allow vpn -> hr : https\n"


def saved(text: str = CLEAN, path: str = "policy.seg") -> Json:
    source = SourceFile(path, text)
    files = [(source, parse(source)[0])]
    policy, _ = resolve([file for _, file in files])
    artifacts = build(policy, files).artifacts
    plan = make_plan(Told(policy, (source,)), artifacts, None, ("live", ""), "state", (NodePlan("gw1", ()),))
    found: Json = json.loads(plan_json(plan, whole=True))
    return found


def test_what_was_saved_is_what_is_applied() -> None:
    found = saved()
    told, node, artifacts = rebuilt(read_plan(json.dumps(found)))
    assert (node, set(told.policy.gateways)) == ("gw1", {"gw1"})
    assert artifacts == {each["name"]: each["text"] for each in found["files"]}


def file(found: Json, name: str = "ruleset.nft") -> Json:
    (chosen,) = (each for each in found["files"] if each["name"] == name)
    assert isinstance(chosen, dict)
    return chosen


def append(name: str, text: str) -> Callable[[Json], None]:
    def edit(found: Json) -> None:
        chosen = file(found, name)
        chosen["text"] += text

    return edit


EDITS: dict[str, Callable[[Json], object]] = {
    "another's tables flushed": append("ruleset.nft", "flush ruleset\n"),
    "a setting of the kernel": append("sysctl.conf", "kernel.core_pattern = |/tmp/x\n"),
    "a file more": lambda found: found["files"].append(
        {"node": "gw1", "name": "../../../../etc/cron.d/x", "text": "x"}
    ),
    "a file less": lambda found: found["files"].remove(file(found)),
    "a file elsewhere": lambda found: file(found).update(name="../../ruleset.nft"),
    "a file of another": lambda found: file(found).update(node="gw2"),
    "no text": lambda found: file(found).update(text=None),
    "half a character": lambda found: file(found).update(text="\ud800"),
    "no gateway": lambda found: found.update(nodes=[]),
    "another gateway": lambda found: found["nodes"][0].update(node="gw2"),
    "no name of a gateway": lambda found: found["nodes"][0].update(node={}),
    "no name of a file": lambda found: file(found).update(name=[]),
    "a file of no gateway": lambda found: file(found).update(node={}),
    "no files": lambda found: found.update(files=[]),
    "no policy": lambda found: found.update(sources={}),
    "another policy": lambda found: found.update(sources={"policy.seg": WIDER}),
    "another digest": lambda found: found.update(policy="0" * 64),
    "a digest in which a quote ends": lambda found: found.update(policy='"; } flush ruleset'),
    "a policy with errors": lambda found: found.update(sources={"policy.seg": "zone {"}),
    "half a character in the policy": lambda found: found.update(sources={"policy.seg": "\ud800"}),
    "a number as a policy": lambda found: found.update(sources={"policy.seg": 7}),
    "endless": lambda found: found.update(unchanged=float("inf")),
}


@pytest.mark.parametrize("how", EDITS)
def test_an_edited_plan_is_refused_with_a_sentence(how: str) -> None:
    found = saved()
    EDITS[how](found)
    with pytest.raises(ValueError, match=r": plan again$"):
        rebuilt(read_plan(json.dumps(found)))


@pytest.mark.parametrize("path", ["../policy.seg", "/etc/policy.seg", "a/../../policy.seg", "a\0.seg"])
def test_a_policy_is_kept_within_its_folder(path: str) -> None:
    found = saved(path=path)
    found["sources"] = {path: CLEAN}
    with pytest.raises(ValueError, match=r"not the one that it was made for: plan again$"):
        rebuilt(read_plan(json.dumps(found)))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"version":' * 100_000])
def test_what_nests_without_end_is_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match="no plan"):
        read_plan(text)
