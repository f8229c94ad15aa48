"""An emitted ruleset as somebody has edited it in the kernel, so that it can be proved again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from segc.apply import host
from segc.apply.live import Items
from segc.apply.ruleset import TABLE, element_key, read_ruleset
from segc.plan.model import Action, Change

_BLOCK = re.compile(
    r"(?P<head>\t(?:set|map) (?P<name>\S+) \{\n\t\t(?:type|typeof) (?P<types>[^\n]*)\n"
    r"(?:\t\t(?!elements)[^\n]*\n)*)(?:\t\telements = \{\n(?P<elements>(?:\t\t\t[^\n]*\n)*)\t\t\}\n)?\t\}\n"
)
_CHAIN = re.compile(r"\tchain (?P<name>\S+) \{\n(?P<body>(?:\t\t[^\n]*\n)*)\t\}\n")
_HEAD = re.compile(r"\t\t(?:type \w+ hook |comment )[^\n]*\n")
Rules = Mapping[str, str]  # each rule's text, by its expressions as nft lists them


def rule_texts(ruleset: str, items: Items, changes: Sequence[Change]) -> Rules:
    """The words of all rules: of those in the emitted ruleset its own (`items` are what nft makes of it), of
    others nft's."""
    found: dict[str, str] = {}
    for change in changes:
        if change.kind == "rules" and change.after:
            lines = _listed(change.name)
            found |= zip(map(key, json.loads(change.after)), lines, strict=False)
    for name, chain in read_ruleset(ruleset).chains.items():
        held = items.get(("rules", name, ""))
        found |= zip(map(key, json.loads(held)), chain.rules, strict=False) if held else ()
    return found


def key(rule: Any) -> str:
    return json.dumps(rule, sort_keys=True)


def _listed(chain: str) -> list[str]:
    """The rules of a chain in nft's words."""
    listing = host.nft("-s", "-n", "list", "chain", *TABLE.split(), chain)
    match = _CHAIN.search(listing)
    return [line.strip() for line in _HEAD.sub("", match["body"]).splitlines()] if match else []


def edited(text: str, changes: Sequence[Change], rules: Rules) -> str:
    """The emitted ruleset with elements, rules and policies as somebody has changed them."""
    by_set: dict[str, list[Change]] = {}
    for change in changes:
        if change.kind == "element":
            by_set.setdefault(change.name, []).append(change)
    chains = {(each.kind, each.name): each for each in changes if each.kind in ("rules", "chain")}
    text = _BLOCK.sub(lambda found: _edited_set(found, by_set.get(found["name"], ())), text)
    return _CHAIN.sub(lambda found: _edited_chain(found, chains, rules), text)


def _edited_chain(found: re.Match[str], changes: Mapping[tuple[str, str], Change], rules: Rules) -> str:
    declared, inside = changes.get(("chain", found["name"])), changes.get(("rules", found["name"]))
    if declared and declared.action is Action.REMOVE:
        return ""
    body = found["body"]
    if inside:
        lines = (rules.get(key(each), "") for each in json.loads(inside.after or "[]"))
        body = "".join(_HEAD.findall(body)) + "".join(f"\t\t{line}\n" for line in lines)
    if declared and "policy" in (now := json.loads(declared.after)):
        body = re.sub(r"policy \w+;", f"policy {now['policy']};", body)
    return f"\tchain {found['name']} {{\n{body}\t}}\n"


def _edited_set(found: re.Match[str], changes: Sequence[Change]) -> str:
    """The text of a set or map; elements that are gone or changed are known by their keys."""
    if not changes:
        return found[0]
    types = found["types"].partition(" : ")[0].split(" . ")
    gone = {element_line(each.before, types).partition(" : ")[0] for each in changes if each.before}
    lines = (line.strip().removesuffix(",") for line in (found["elements"] or "").splitlines())
    kept = [line for line in lines if line and element_key(line) not in gone]
    inner = ",\n\t\t\t".join([*kept, *(element_line(each.after, types) for each in changes if each.after)])
    elements = f"\t\telements = {{\n\t\t\t{inner}\n\t\t}}\n" if inner else ""
    return f"{found['head']}{elements}\t}}\n"


def element_line(content: str, types: Sequence[str]) -> str:
    """An element of a change, as an emitted ruleset has it."""
    key, _, value = content.partition(" : ")
    shown, leads = element(json.loads(key), types), _value(json.loads(value)) if value else ""
    return f"{shown} : {leads}" if leads else shown


def element(key: Any, types: Sequence[str]) -> str:
    """A key as JSON, in the words of an emitted ruleset."""
    if isinstance(key, dict) and "concat" in key:
        padded = [*types, *[""] * len(key["concat"])]
        return " . ".join(element(part, (kind,)) for part, kind in zip(key["concat"], padded, strict=False))
    if isinstance(key, dict) and "prefix" in key:
        return f"{key['prefix']['addr']}/{key['prefix']['len']}"
    if isinstance(key, dict) and "range" in key:
        return "-".join(element(part, types) for part in key["range"])
    if isinstance(key, int) and key > 0xFFFF and (types or ("",))[0] in ("", "mark", "meta mark"):
        return f"0x{key:08x}"
    return f'"{key}"' if types and types[0] in ("ifname", "iifname", "oifname") else f"{key}"


def _value(value: Any) -> str:
    """What an element leads to: a verdict, or the name of a counter."""
    if value is None:
        return ""
    if not isinstance(value, Mapping):
        return f'"{value}"'
    ((verdict, target),) = value.items()
    return f"{verdict} {target['target']}" if isinstance(target, Mapping) else str(verdict)
