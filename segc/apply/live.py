"""`table inet segc` as the kernel holds it, compared with what a ruleset would make of it there.

nft lists things in words of its own, so a ruleset is first loaded into an empty network namespace of its own
and listed by the same nft: what then differs, differs in the kernel.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from segc import cache
from segc.apply.host import RefusedByKernelError, nft, run
from segc.apply.netlink import (
    BUFFER,
    NF_TABLES,
    REQUEST,
    attributes,
    dump,
    message,
    messages,
    open_netlink,
)
from segc.apply.ruleset import KEPT
from segc.apply.transaction import MARKER
from segc.frozen import frozen

GETGEN, GENERATION = NF_TABLES << 8 | 16, 1  # NFT_MSG_GETGEN, NFTA_GEN_ID
GETTABLE, TABLE_NAME, TABLE_FLAGS = NF_TABLES << 8 | 1, 1, 2  # NFT_MSG_GETTABLE, NFTA_TABLE_*
INET, DORMANT = 1, 1  # NFPROTO_INET, NFT_TABLE_F_DORMANT
LIST = ("-j", "-s", "-n", "list", "table", "inet", "segc")

Key = tuple[str, str, str]  # kind, the name of the chain, set or object, and an element's key
Items = Mapping[Key, str]  # each with its content


@frozen
class Held:
    """What is there at a glance: whether a table decides, and the generations that markers name."""

    present: bool
    markers: tuple[int, ...]


def held() -> Held:
    found = json.loads(nft("-j", "list", "chains"))["nftables"]
    chains = [each["chain"] for each in found if "chain" in each]
    names = [each["name"] for each in chains if (each["family"], each["table"]) == ("inet", "segc")]
    matches = (re.fullmatch(rf"{MARKER}(\d+)", name) for name in names)
    return Held(bool(names) and not dormant(), tuple(int(match[1]) for match in matches if match))


def dormant() -> bool:
    """Whether the table is there and yet decides nothing. nft 1.0.6 cannot list such a one as JSON."""
    for body in dump(GETTABLE, b"", INET):
        found = attributes(body[4:])
        if found[TABLE_NAME].rstrip(b"\0") == b"segc":
            return bool(int.from_bytes(found[TABLE_FLAGS], "big") & DORMANT)
    return False


def absence() -> str:
    """Why no table decides, in words."""
    return "`table inet segc` is dormant" if dormant() else "there is no `table inet segc`"


def described(found: Held) -> str:
    """What decides, in words."""
    if not found.present:
        return absence()
    if not found.markers:
        return "its `table inet segc` names no generation"
    several = "s" * (len(found.markers) != 1)
    return f"it holds generation{several} {' and '.join(map(str, sorted(found.markers)))}"


def transactions() -> int:
    """How many transactions nf_tables has seen in this namespace; whatever changes a table raises it."""
    with open_netlink() as netlink:
        netlink.send(message(GETGEN, REQUEST, b""))
        for _, body in messages(netlink.recv(BUFFER)):
            if count := attributes(body[4:]).get(GENERATION):
                return int.from_bytes(count, "big")
    raise RefusedByKernelError("the kernel does not tell the generation of its tables")


def skeleton() -> str:
    """The table without elements, in the form of an emitted ruleset."""
    return nft("-s", "-t", "list", "table", "inet", "segc")


def items() -> Items:
    """All that the table holds but counts, sessions and markers; empty where none decides."""
    done = run("nft", *LIST)
    if done.returncode and "No such file or directory" not in done.stderr:
        raise RefusedByKernelError((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0])
    return read_items(done.stdout) if done.returncode == 0 and not dormant() else {}


def items_of(ruleset: str) -> Items:
    """What the table would hold, had just this been loaded; kept between runs, as it is the same for the same
    nft and kernel. RefusedByKernelError if it cannot be loaded."""
    key = cache.key(nft("--version"), os.uname().release, *LIST, ruleset)
    found: Items | None = cache.load("table", key)
    if found is None:
        found = _loaded(ruleset)
        cache.store("table", key, found)
    return found


def _loaded(ruleset: str) -> Items:
    script = f"nft -f - && nft {' '.join(LIST)}"
    done = run("unshare", "--net", "sh", "-c", script, stdin=ruleset)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise RefusedByKernelError(words[0])
    return read_items(done.stdout)


def read_items(listing: str) -> Items:
    return dict(_items(json.loads(listing)["nftables"]))


def _items(listed: list[dict[str, Any]]) -> Iterator[tuple[Key, str]]:
    rules: dict[str, list[Any]] = {}
    for each in listed:
        (kind, content), *_ = each.items()
        if kind in ("metainfo", "table"):
            continue
        if kind == "rule":
            rules.setdefault(content["chain"], []).append(content["expr"])
        elif not (kind == "chain" and _is_marker(content)):
            yield from _declared(kind, content)
    for chain, found in rules.items():
        yield ("rules", chain, ""), _text(found)


def _is_marker(chain: dict[str, Any]) -> bool:
    return "hook" not in chain and bool(re.fullmatch(rf"{MARKER}\d+", chain["name"]))


def _declared(kind: str, content: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    left_out = ("family", "table", "handle", "name", "comment", "elem", "packets", "bytes", "size")
    rest = {key: value for key, value in content.items() if key not in left_out}
    yield (kind, content["name"], ""), _text(rest)
    kept = bool(set(content.get("flags", ())) & set(KEPT))
    for element in content.get("elem", ()):
        key, value = element if kind == "map" else (element, None)
        if not kept or ("timeout" in content and _stays(element)):
            yield ("element", content["name"], _text(_bare(key))), _text(value)


def _stays(element: Any) -> bool:
    """Whether somebody gave an element a time of its own, in a set whose members packets add for a moment."""
    return isinstance(element, dict) and "timeout" in element.get("elem", ())


def _bare(element: Any) -> Any:
    """An element without its comment."""
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
