"""Ends and arrows as they are written elsewhere."""

from __future__ import annotations

import re

from segc.space.protocols import WHOLE_PROTOCOLS
from segc.syntax.hints.problem import Advice, Problem

_ARROWS = frozenset({"=>", "=", "-->", "--", "==>", ">", "-", "to"})
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_DNS = re.compile(r"([A-Za-z_][\w-]*)\.[\w.-]+")


def arrow(problem: Problem) -> Advice | None:
    if "ARROW" not in problem.accepted:
        return None
    if problem.found in _ARROWS:
        return Advice("write `->` between the two ends of a flow")
    if problem.found in {"<-", "<--", "<="}:
        return Advice("write who opens the connection first: `SOURCE -> DESTINATION`")
    if problem.found in {"<->", "<-->", "<=>", "<>"}:
        return Advice("write `->`: answers need no flow; where both ends open connections, write two")
    return None


def other_end(problem: Problem) -> Advice | None:
    """A group without its word, a name of the DNS, `*`, and `vpn.*`, as ends."""
    if problem.found == "*":
        return _wildcard(problem)
    match = re.compile(r"([A-Za-z_][\w-]*)[\w.-]*").match(problem.source.text, problem.word_before)
    if match is None or not problem.accepted & {"ARROW", "COLON"}:
        return None
    if problem.found == "in":
        help = f'write `group {match[0]} in …`, or `user "…" in …`'
        return Advice(help, "only groups and users are `in` a zone")
    if problem.found != "." or match.end() <= problem.at:
        return None
    if problem.at == match.end(1) and problem.source.text.startswith(".*", problem.at):
        return Advice(f"write `{match[1]}`: a zone stands for all of its hosts")
    span = problem.source.span(match.start(), match.end())
    return Advice(_of_dns(match[1]), "an end is no name of the DNS", span)


def _of_dns(label: str) -> str:
    return f"write the addresses that it has, as in `set {label} = 192.0.2.10`"


def _wildcard(problem: Problem) -> Advice | None:
    """`*` for `any`, and `10.20.10.*` for `10.20.10.0/24`."""
    if "ZONE_OR_HOST" in problem.accepted:
        return Advice("write `any`")
    match = re.compile(r"(\d+(?:\.\d+){0,2})\.\*(?:\.\*)*").match(problem.source.text, problem.word_before)
    if match is None or match.end() <= problem.at:
        return None
    bytes = match[1].split(".")
    prefix = ".".join([*bytes, *("0" for _ in range(4 - len(bytes)))])
    span = problem.source.span(match.start(), match.end())
    return Advice(f"write `{prefix}/{8 * len(bytes)}`", "a network is written as a prefix", span)


def quoted_end(problem: Problem) -> Advice | None:
    """`"ana@acme.example"` for `user "ana@acme.example"`, and names in quotes."""
    if problem.found[0] != '"' or "STRING" in problem.accepted:
        return None
    inner = problem.found.strip('"')
    end = "ZONE_OR_HOST" in problem.accepted
    if "USER" in problem.accepted and ("@" in inner or not end):
        return Advice(f'write `user "{inner[:40]}"`')
    if end and (name := _DNS.fullmatch(inner)):
        return Advice(_of_dns(name[1]))
    if problem.accepted & {"ZONE_OR_HOST", "ZONE_NAME"} and _NAME.fullmatch(inner):
        return Advice(f"write {inner[:40]} without quotes")
    return None


def other_order(problem: Problem) -> Advice | None:
    """`allow from a`, `allow tcp a`, `allow not a` and `allow !a`."""
    if problem.found == "!" and "ZONE_OR_HOST" in problem.accepted:
        match = _NAME.match(problem.source.text, problem.at + 1)
        return Advice(f"write `any except {match[0] if match else '…'}`")
    if "ARROW" not in problem.accepted or not _NAME.match(problem.found):
        return None
    before = problem.source.text[problem.word_before : problem.at].strip()
    if before == "not":
        return Advice(f"write `any except {problem.found}`")
    if before == "from":
        return Advice("write `SOURCE -> DESTINATION`, without `from`")
    if before in WHOLE_PROTOCOLS:
        return Advice("write the service behind the ends: `SOURCE -> DESTINATION : tcp/443`")
    return None
