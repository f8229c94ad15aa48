"""A plan for people: text for a terminal, and Markdown for a pull request.

Names and statements are somebody else's words. On a terminal they are printed without controls; in Markdown
they stand in code spans only, which cannot be left by anything in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from segc.diagnostics.measure import ELLIPSIS, printable
from segc.plan.items import line_changes
from segc.plan.model import GAINS, LOSSES, Access, Action, Alteration, Change, Cut, NodePlan, Plan, Statement

SHOWN = 20  # changes of access, and lines of an artifact
COLORS = {"gain": "\x1b[33m", "loss": "\x1b[36m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
RESET = "\x1b[0m"
SIGNS = {Action.ADD: "+", Action.REMOVE: "-", Action.CHANGE: "~"}
UNSURE = "what was in force is not known here, so nothing is told of who gains or loses access"
MARKDOWN_LIMIT = 60_000  # characters: what a comment may hold at the common forges, less some

Paint = Callable[[str, str], str]


def plan_text(plan: Plan, color: bool, width: int | None) -> str:
    """For a terminal of so many cells, the first of many lines; with no width, all of all lines."""

    def paint(text: str, style: str) -> str:
        return f"{COLORS[style]}{text}{RESET}" if color else text

    limit = len(plan.access) if width is None else SHOWN
    lines = [line for each in plan.access[:limit] for line in _access_lines(each, paint)]
    lines += _more(len(plan.access) - limit, "change of access", "changes of access")
    lines += [f"alters    {printable(_altered(each))}" for each in plan.alterations]
    lines += _cut_lines(plan.cut, paint)
    lines += [f"({UNSURE})"] if plan.against.policy is None else [_unchanged(plan)]
    lines += [paint(printable(each), "bold") for each in plan.warnings]
    lines.append("")
    for node in plan.nodes:
        lines += _node_lines(node, paint, width)
    return "\n".join(lines) + "\n"


def _access_lines(access: Access, paint: Paint) -> Iterator[str]:
    style = "gain" if access.kind in GAINS else "loss" if access.kind in LOSSES else "bold"
    what = printable(flow_text(access))
    asks = f"  {printable(', '.join(access.conditions))}" if access.conditions else ""
    yield f"{paint(f'{access.kind:<9}', style)} {what}{asks}"
    places = ", ".join(dict.fromkeys(map(place, access.statements)))
    about = f"{counted(access.pairs, 'address pair')}, {printable(places)}; {_instance(access)}"
    yield paint(f"          {about}", "dim")


def _cut_lines(cut: Cut | None, paint: Paint) -> Iterator[str]:
    if cut and cut.count:
        yield paint(f"{counted(cut.count, 'connection')} in use now will be cut", "loss")
        yield paint(f"          {_cut_examples(cut)}", "dim")


def _cut_examples(cut: Cut) -> str:
    more = cut.count - len(cut.examples)
    return printable(", ".join(cut.examples)) + (f" and {more:,} more" if more else "")


def flow_text(access: Access) -> str:
    count = len(access.parts) + access.unlisted
    parts = f" (in {count:,} parts)" if count > 1 else ""
    return f"{access.source} -> {access.destination} : {access.services}{parts}"


def place(statement: Statement) -> str:
    gone = " (as it was)" if statement.side == "before" else ""
    return f"{statement.file}:{statement.line}{gone}"


def _instance(access: Access) -> str:
    witness = access.witness
    who = [f"by {witness.user}"] if witness.user else []
    groups = witness.groups_after if access.kind in GAINS else witness.groups_before
    who += [f"in {' and '.join(groups)}"] if groups else []
    return printable(" ".join([f"for instance {witness.text}", *who]))


def _altered(each: Alteration) -> str:
    where = f"  {place(each.statement)}" if each.statement else ""
    return f"{each.kind} {each.name}: {each.before or 'none'} becomes {each.after or 'none'}{where}"


def _unchanged(plan: Plan) -> str:
    return f"unchanged: {counted(plan.unchanged, 'flow')}"


def counted(number: int, word: str) -> str:
    """`1 flow`, `812,004 address pairs`; the largest only by their order."""
    text = f"{number:,}" if number < 10**12 else f"about 10^{len(str(number)) - 1}"
    return f"{text} {word}{'' if number == 1 else 's'}"


def _more(number: int, word: str, words: str) -> list[str]:
    return [f"          and {number:,} {word if number == 1 else words} more; `--all` shows them"] * (
        number > 0
    )


# -- artifacts -------------------------------------------------------------------------------------------


def node_summary(node: NodePlan) -> str:
    """`+2 -1 elements, 1 chain, +1 VLAN`: additions, removals and changes by kind."""
    counts: dict[str, dict[Action, int]] = {}
    for change in node.changes:
        if change.kind == "rules":
            lines = [action for action, _ in rule_lines(change)]
            found = counts.setdefault("rule", {})
            for action in lines:
                found[action] = found.get(action, 0) + 1
        else:
            found = counts.setdefault(change.kind, {})
            found[change.action] = found.get(change.action, 0) + 1
    words = []
    for kind, found in counts.items():
        signs = " ".join(f"{SIGNS[action]}{found[action]:,}" for action in Action if action in found)
        words.append(f"{signs} {kind}{'s' if sum(found.values()) > 1 else ''}")
    return ", ".join(words) or "nothing"


def rule_lines(change: Change) -> list[tuple[Action, str]]:
    """The rules to take out of a chain and to put in, in order."""
    before, after = (_rules(text) for text in (change.before, change.after))
    return list(line_changes(before, after))


def _rules(text: str) -> list[str]:
    if not text:
        return []
    rules = json.loads(text)
    return [rule if isinstance(rule, str) else json.dumps(rule, separators=(",", ":")) for rule in rules]


def change_lines(change: Change) -> Iterator[str]:
    if change.kind == "rules":
        yield from (f"{SIGNS[action]} rule in {change.name}: {text}" for action, text in rule_lines(change))
        return
    content = change.after or change.before
    if change.action is Action.CHANGE:
        content = f"{change.before} becomes {change.after}"
    name = "" if change.kind in ("step",) else f" {change.name}"
    yield f"{SIGNS[change.action]} {change.kind}{name}: {content}".removesuffix(": ")


def _node_lines(node: NodePlan, paint: Paint, width: int | None) -> Iterator[str]:
    yield f"{paint(printable(node.node), 'bold')}  {node_summary(node)}"
    lines = [line for change in node.changes for line in change_lines(change)]
    limit = len(lines) if width is None else SHOWN
    yield from (f"  {_fitted(printable(line), width)}" for line in lines[:limit])
    yield from _more(len(lines) - limit, "line", "lines")


def _fitted(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width - 2 else line[: max(width - 3, 20)] + ELLIPSIS


# -- Markdown --------------------------------------------------------------------------------------------


def plan_markdown(plan: Plan) -> str:
    """A comment for a pull request: a headline, who gains and who loses, artifacts folded away."""
    gains = sum(each.kind in GAINS for each in plan.access)
    losses = sum(each.kind in LOSSES for each in plan.access)
    others = len(plan.access) - gains - losses + len(plan.alterations)
    lines = [f"### segc plan: {gains} opened, {losses} closed, {others} other", ""]
    lines += [f"Against {code(plan.against.name or 'this host')}."]
    lines += [UNSURE[0].upper() + UNSURE[1:] + "."] * (plan.against.policy is None)
    lines += ["", *(f"- **warning** {code(each)}" for each in plan.warnings)]
    lines += map(_bullet, plan.access)
    lines += [f"- **alters** {code(_altered(each))}" for each in plan.alterations]
    if plan.cut and plan.cut.count:
        lines.append(
            f"- **cuts** {counted(plan.cut.count, 'connection')} in use now: {code(_cut_examples(plan.cut))}"
        )
    lines += ["", _unchanged(plan).capitalize() + ".", ""] if plan.against.policy else [""]
    for node in plan.nodes:
        lines += _folded(node)
    return _cut("\n".join(lines) + "\n")


def _bullet(access: Access) -> str:
    asks = "".join(f", {code(each)}" for each in access.conditions)
    places = ", ".join(map(code, dict.fromkeys(map(place, access.statements))))
    first = f"- **{access.kind}** {code(flow_text(access))}{asks}"
    return f"{first}  \n  {counted(access.pairs, 'address pair')}, {places}; {code(_instance(access))}"


def _folded(node: NodePlan) -> list[str]:
    lines = [line for change in node.changes for line in change_lines(change)]
    if not lines:
        return [f"{code(node.node)}: nothing"]
    body = "\n".join(map(printable, lines))
    fence = _longer(body, 3)
    summary = f"{printable(node.node)}: {node_summary(node)}"
    escaped = summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return [
        "<details>",
        f"<summary>{escaped}</summary>",
        "",
        f"{fence}diff",
        body,
        fence,
        "",
        "</details>",
        "",
    ]


def code(text: str) -> str:
    """A code span (CommonMark 6.1): its fence is longer than any run of backquotes inside."""
    text = printable(text)
    fence = _longer(text, 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _longer(text: str, least: int) -> str:
    runs = [len(run) for run in re.findall("`+", text)]
    return "`" * max(least, 1 + max(runs, default=0))


def _cut(text: str) -> str:
    if len(text) <= MARKDOWN_LIMIT:
        return text
    kept = text[:MARKDOWN_LIMIT].rpartition("\n")[0]
    opened = kept.count("<details>") > kept.count("</details>")
    closing = "\n" + re.findall(r"^`{3,}", kept, re.M)[-1] + "\n\n</details>" if opened else ""
    return f"{kept}{closing}\n\nThe rest is left out here; `segc plan --format json` has all of it.\n"
