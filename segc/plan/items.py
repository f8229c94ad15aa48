"""What differs between two forms of an artifact, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from hashlib import sha256

from segc import manifest
from segc.document import read_json, shaped
from segc.enforcement.layer2 import Bridge, BridgePort, LinkPlan
from segc.plan.model import Action, Change

Key = tuple[str, str, str]  # kind, the name of the chain, set or object, and an element's key
Items = Mapping[Key, str]  # each with its content
Texts = Mapping[str, str]  # by file name

ORDER = ("counter", "limit", "set", "map", "chain", "rules", "element")
NO_ARTIFACT = (manifest.FILE, manifest.POLICY)  # what a build says of itself
APART = ("ruleset.nft", "links.json")  # compared by meaning


def table_changes(before: Items, after: Items) -> tuple[Change, ...]:
    """What differs between two tables; linear in their items."""
    keys = [key for key in after if before.get(key) != after[key]]
    keys += [key for key in before if key not in after]
    found = (_item(key, before.get(key), after.get(key)) for key in keys)
    return tuple(sorted(found, key=lambda each: (_rank(each.kind), *each[2:])))


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _item(key: Key, before: str | None, after: str | None) -> Change:
    kind, name, element = key
    action = Action.ADD if before is None else Action.REMOVE if after is None else Action.CHANGE
    texts = ("" if content is None else _text(kind, element, content) for content in (before, after))
    return Change(action, kind, name, *texts)


def _text(kind: str, element: str, content: str) -> str:
    return content if kind != "element" else element if content in ("", "null") else f"{element} : {content}"


def link_changes(before: str | None, after: str | None) -> tuple[Change, ...]:
    """What differs between two `links.json`, fact by fact. DocumentError where one is none."""
    was, now = _facts(before), _facts(after)
    gone = (Change(Action.REMOVE, "link", device, fact, "") for device, fact in was - now)
    new = (Change(Action.ADD, "link", device, "", fact) for device, fact in now - was)
    return tuple(sorted((*gone, *new), key=lambda each: (each.name, each.before or each.after)))


def _facts(text: str | None) -> frozenset[tuple[str, str]]:
    plan = shaped(LinkPlan, read_json(text)) if text else LinkPlan("", (), ())
    found: set[tuple[str, str]] = set()
    for bridge in plan.bridges:
        found |= {(bridge.name, "is a bridge"), *_vlans(bridge)}
        for port in bridge.ports:
            found |= {(port.name, f"is a port of {bridge.name}"), *_vlans(port)}
            found |= {(port.name, "is isolated")} if port.isolated else set()
    for device in plan.devices:
        if device.vlan is not None:
            found.add((device.name, f"is VLAN {device.vlan} of {device.parent}"))
        found |= {(device.name, f"has address {address}") for address in device.addresses}
    return frozenset(found)


def _vlans(port: Bridge | BridgePort) -> set[tuple[str, str]]:
    found = {(port.name, f"carries VLAN {vlan} tagged") for vlan in port.tagged}
    return found | ({(port.name, f"carries VLAN {port.pvid} untagged")} if port.pvid is not None else set())


def file_changes(before: Texts, after: Texts) -> tuple[Change, ...]:
    """Lines that differ, of all files but those that are compared by meaning."""
    names = sorted(before.keys() | after.keys())
    plain = (name for name in names if name not in APART and not name.startswith(NO_ARTIFACT))
    return tuple(line for name in plain for line in _lines(name, before.get(name, ""), after.get(name, "")))


def _lines(name: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        for action, text in line_changes(before.splitlines(), after.splitlines()):
            texts = ("", text) if action is Action.ADD else (text, "")
            yield Change(action, "line", name, *texts)


def line_changes(before: list[str], after: list[str]) -> Iterator[tuple[Action, str]]:
    """The lines to take out and to put in, in order."""
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from ((Action.REMOVE, line) for line in before[a:b])
            yield from ((Action.ADD, line) for line in after[c:d])


def state_digest(items: Items, links: list[str]) -> str:
    """What names a live state: the table's items, and what is still to be done to the links."""
    digest = sha256()
    for line in (*sorted(map(repr, items.items())), *links):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
