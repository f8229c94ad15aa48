"""A plan as JSON, `segc/schemas/plan.schema.json`, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from segc.plan.model import (
    VERSION,
    Access,
    Action,
    Against,
    Alteration,
    Change,
    Cut,
    Kind,
    NodePlan,
    Part,
    Plan,
    Statement,
    WantedFile,
    Witness,
)

Json = dict[str, Any]
PLACES = ("from_zones", "to_zones", "from_tags", "to_tags")


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
        found = json.loads(text)
        version = found["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is no plan that `segc plan --out` saved") from None
    if version != VERSION:
        told = f"version {json.dumps(version)[:40]}"
        raise ValueError(f"it has {told}, and this segc reads version {VERSION}: plan again")
    if "files" not in found:
        raise ValueError("it is a plan for reading: save one with `segc plan --out plan.json`")
    try:
        return _plan(found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError("it is damaged: plan again") from None


def _plan(found: Json) -> Plan:
    return Plan(
        policy=str(found["policy"]),
        state=str(found["state"]),
        against=Against(**found["against"]),
        unchanged=int(found["unchanged"]),
        access=tuple(map(_read_access, found["access"])),
        alterations=tuple(map(_read_alteration, found["alterations"])),
        nodes=tuple(NodePlan(str(n["node"]), tuple(map(_read_change, n["changes"]))) for n in found["nodes"]),
        files=tuple(WantedFile(str(f["node"]), str(f["name"]), str(f["text"])) for f in found["files"]),
        sources=tuple((_text(path), _text(text)) for path, text in found["sources"].items()),
        cut=_read_cut(found.get("cut")),
        warnings=tuple(map(_text, found.get("warnings", ()))),
    )


def _text(found: object) -> str:
    text = str(found)
    text.encode()  # JSON can hold half of a surrogate pair, no file can
    return text


def _read_cut(found: Json | None) -> Cut | None:
    return Cut(int(found["count"]), tuple(map(str, found["examples"]))) if found else None


def _read_access(found: Json) -> Access:
    lists = ("conditions", "people", "peers", *PLACES)
    content: Json = {**found, **{name: tuple(found[name]) for name in lists}}
    content["kind"] = Kind(found["kind"])
    parts = ((tuple(p["source"]), tuple(p["destination"]), p["services"]) for p in found["parts"])
    content["parts"] = tuple(Part(*each) for each in parts)
    content["statements"] = tuple(Statement(**each) for each in found["statements"])
    witness: Json = {k: tuple(v) if isinstance(v, list) else v for k, v in found["witness"].items()}
    return Access(**{**content, "witness": Witness(**witness)})


def _read_alteration(found: Json) -> Alteration:
    statement = found["statement"]
    content: Json = {**found, **{name: tuple(found[name]) for name in PLACES}}
    return Alteration(**{**content, "statement": Statement(**statement) if statement else None})


def _read_change(found: Json) -> Change:
    return Change(**{**found, "action": Action(found["action"])})
