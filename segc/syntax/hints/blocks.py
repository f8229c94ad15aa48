"""Settings as other tools write them, or in a block that does not take them."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Any

from lark import Token

from segc.syntax.hints.problem import Advice, Problem

_HOMES = {
    **dict.fromkeys(("vlan", "subnet", "external", "host", "intra", "refuse", "dot1x"), "zone"),
    **dict.fromkeys(("interface", "address", "serve", "manage", "publish", "mark"), "gateway"),
    **dict.fromkeys(("platform", "port"), "switch"),
}
_TAKES = frozenset({"ADDRESS", "VALUE", "STRING"})
_MASK = re.compile(r"(?P<address>\d+(?:\.\d+){3})[ \t]+(?P<mask>\d+(?:\.\d+){3})(?![\w.])")
_MAC = re.compile(r"mac[ \t]+([0-9A-Fa-f:.-]+)")


def stray_setting(problem: Problem) -> Advice | None:
    """A setting where a statement could stand: its block was not opened, or closed too early."""
    home = _HOMES.get(problem.found)
    if home is None or "IMPORT" not in problem.accepted or not problem.starts_line:
        return None
    return Advice(
        f"`{problem.found}` belongs inside the braces of a `{home}`; a `}}` above may close it too early"
    )


def of_interface(problem: Problem) -> Advice | None:
    """What belongs to an interface beside it, and other names for `masquerade` in it."""
    if problem.found in {"masquerade", "trunk", "bridge", "zone"} and "INTERFACE" in problem.accepted:
        return Advice(f"`{problem.found}` belongs inside the braces of an `interface`")
    if problem.found.lower() in {"nat", "snat", "masq"} and "MASQUERADE" in problem.accepted:
        return Advice("write `masquerade`")
    return None


def netmask(problem: Problem) -> Advice | None:
    """`10.1.0.0 255.255.255.0` for `10.1.0.0/24`."""
    match = _MASK.match(problem.source.text, problem.word_before)
    if match is None or match.start("mask") != problem.at:
        return None
    try:
        length = IPv4Network(f"0.0.0.0/{match['mask']}").prefixlen
    except ValueError:
        return None
    span = problem.source.span(match.start(), match.end())
    return Advice(f"write `{match['address']}/{length}`", "a mask is written as a length behind `/`", span)


def setting_with_sign(problem: Problem) -> Advice | None:
    """`subnet = …` and `vlan: …`."""
    last = problem.last
    if problem.found not in {"=", ":"} or not isinstance(last, Token) or not problem.accepted & _TAKES:
        return None
    if not last.value.isalpha():
        return None
    return Advice(f"write `{last.value}` and its value with nothing between them")


def mac_of_host(problem: Problem) -> Advice | None:
    if problem.found != "mac" or not problem.accepted >= {"LBRACE", "HOST"}:
        return None
    match = _MAC.match(problem.source.text, problem.at)
    return Advice(f"write it in braces: `{{ {match[0] if match else 'mac …'} }}`")


def gateway_of_zone(problem: Problem) -> Advice | None:
    """`zone hr { gateway 10.1.0.1 }`."""
    if problem.found != "gateway" or not problem.accepted >= {"SUBNET", "INTRA"}:
        return None
    match = re.compile(r"gateway[ \t]+(\d+(?:\.\d+){3})").match(problem.source.text, problem.at)
    name = _name_of(problem)
    address = f"{match[1]}/24" if match else "10.10.10.1/24"
    return Advice(f"write it in the gateway's own block: `address {name} {address}`")


def _name_of(problem: Problem) -> str:
    """The name of the block that is open."""
    place = next((n for n, each in enumerate(problem.values) if each is problem.opened), 0)
    return str(problem.values[place - 1])


def several_zones(problem: Problem) -> Advice | None:
    if problem.found == "," and _types(problem.values[-2:]) == ["ZONE", "ZONE_NAME"]:
        return Advice("one zone can be untagged here; write `trunk` for several")
    return None


def several_published(problem: Problem) -> Advice | None:
    if problem.found == "," and "ON" in problem.accepted:
        return Advice("write one `publish` for each service")
    return None


def port_without_quotes(problem: Problem) -> Advice | None:
    """`port 1/1/1-20` for `port "1/1/1-20"`."""
    if problem.found != "/" or _types(problem.values[-2:]) != ["PORT", "DEVICE"]:
        return None
    match = re.compile(r"[\w/.:@-]+").match(problem.source.text, problem.word_before)
    if match is None:
        return None
    span = problem.source.span(match.start(), match.end())
    return Advice(f'put it in double quotes: `"{match[0]}"`', "a name with `/` takes quotes", span)


def _types(values: list[Any]) -> list[str]:
    return [each.type if isinstance(each, Token) else "" for each in values]
