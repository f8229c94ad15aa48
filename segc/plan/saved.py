"""A plan as JSON, `segc/schemas/plan.schema.json`, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from segc.document import DocumentError, read_json, scalar, shaped
from segc.plan.model import VERSION, Access, Plan

Json = dict[str, Any]


class _Texts(NamedTuple):
    sources: dict[str, str]  # an object, where a plan has pairs


def plan_json(plan: Plan, whole: bool) -> str:
    """Text of a plan; `whole` is what is saved, with the wanted files and the policy's texts."""
    content = _plain(plan)
    for name in () if whole else ("files", "sources"):
        del content[name]
    return json.dumps({"version": VERSION, "changed": plan.changes, **content}, indent=2) + "\n"


def _plain(plan: Plan) -> Json:
    found: Json = asdict(plan)
    found["against"] = plan.against._asdict()
    found["access"] = [_access(each) for each in plan.access]
    found["alterations"] = [
        {**each._asdict(), "statement": each.statement and each.statement._asdict()}
        for each in plan.alterations
    ]
    found["nodes"] = [
        {"node": each.node, "changes": [change._asdict() for change in each.changes]} for each in plan.nodes
    ]
    found["files"] = [each._asdict() for each in plan.files]
    found["sources"] = dict(plan.sources)
    return found


def _access(access: Access) -> Json:
    found: Json = asdict(access)
    found["parts"] = [each._asdict() for each in access.parts]
    found["statements"] = [each._asdict() for each in access.statements]
    found["witness"] = access.witness._asdict()
    return found


def read_plan(text: str) -> Plan:
    """The plan that `plan_json` saved whole. ValueError with a sentence for users."""
    try:
        found = read_json(text)
    except DocumentError as error:
        words = f"it is no plan that `segc plan --out` saved, or damaged, as it {error.reason}"
        raise ValueError(f"{words}: plan again") from None
    if not isinstance(found, dict) or "version" not in found:
        raise ValueError("it is no plan that `segc plan --out` saved")
    if type(version := found["version"]) is not int or version != VERSION:
        told = f"it has version {scalar(version)}, and this segc reads version {VERSION}"
        raise ValueError(f"{told}: plan again")
    if "files" not in found:
        raise ValueError("it is a plan for reading: save one with `segc plan --out plan.json`")
    try:
        texts = shaped(_Texts, found).sources
        return replace(shaped(Plan, {**found, "sources": []}), sources=tuple(texts.items()))
    except DocumentError as error:
        raise ValueError(f"it is damaged, as it {error.reason}: plan again") from None
