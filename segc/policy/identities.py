"""Groups, postures and session rules: who may be who, and for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from segc.diagnostics.model import Label
from segc.diagnostics.suggest import did_you_mean
from segc.identity.names import person
from segc.identity.snapshot import FILE, Snapshot
from segc.policy.model import Group, Posture, PostureFact, SessionRule
from segc.policy.nesting import nesting, path_text, report_deep
from segc.policy.scope import Findings
from segc.space.words import is_decimal
from segc.syntax import tree

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 366 * 86400
_BOOLEANS = {
    **dict.fromkeys(("yes", "on", "true", "enabled"), "true"),
    **dict.fromkeys(("no", "off", "false", "disabled"), "false"),
}
VERSION = re.compile(r"\d{1,18}(?:\.\d{1,18})*", re.ASCII)


def resolve_groups(
    definitions: Mapping[str, tree.GroupDef], snapshots: Sequence[Snapshot], findings: Findings
) -> Mapping[str, Group]:
    for node in definitions.values():
        for name in node.groups:
            if name.text not in definitions:
                findings.unknown("group", name, definitions)
    nested = {
        name: tuple(word.text for word in node.groups if word.text in definitions)
        for name, node in definitions.items()
    }
    found = nesting(nested)
    report_deep("group", found, definitions, findings)
    for path in found.cycles.values():
        _report_cycle(path, definitions, findings)
    if found.cycles or found.deep:
        nested = dict.fromkeys(definitions, ())  # who is in what would take time and memory in their product
    drawn = _directory_members(definitions, snapshots, findings)
    for node in definitions.values():
        for word in node.users:
            findings.person(word)
    return {name: _group(name, definitions, nested, drawn) for name in definitions}


def _directory_members(
    definitions: Mapping[str, tree.GroupDef], snapshots: Sequence[Snapshot], findings: Findings
) -> Mapping[str, Sequence[str]]:
    """The members of every directory group of which they are known."""
    for again in snapshots[1:]:
        findings.add(
            "SEG105",
            f"the policy has two snapshots of its directories, here and in `{snapshots[0].span.path}`",
            again.span._replace(end=again.span.start + 1),
            help="name one folder or the other, or merge the two into one policy",
        )
    words = [node.directory for node in definitions.values() if node.directory]
    if not snapshots:
        for word in words:
            findings.add(
                "SEG110",
                f"nobody knows who is in the directory group `{word.text}`, so nobody is",
                word.span,
                f"there is no `{FILE}` in the folder that was named, or beside the file",
                help="`segc identity sync` asks the directories and writes it; "
                "one in a folder below is not read",
            )
        return {}
    return {word.text: _members(word, snapshots[0], findings) for word in words}


def _members(word: tree.Word, snapshot: Snapshot, findings: Findings) -> Sequence[str]:
    found = snapshot.groups(word.text)
    if len(found) == 1:
        return found[0].members
    message, label = f"no directory has a group `{word.text}`", f"not in `{snapshot.span.path}`"
    near = did_you_mean(word.text, snapshot.names)
    help = near or "if it is there by now, `segc identity sync` reads it into the snapshot"
    if found:
        owners = [each.name for each in snapshot.directories if each.group(word.text)]
        message, label = f"the group `{word.text}` is in {len(owners)} directories", "which of them?"
        help = f"say so: {' or '.join(f'`{owner}/{word.text}`' for owner in owners)}"
    findings.add("SEG111", message, word.span, label, help=help)
    return ()


def _group(
    name: str,
    definitions: Mapping[str, tree.GroupDef],
    nested: Mapping[str, Sequence[str]],
    drawn: Mapping[str, Sequence[str]],
) -> Group:
    members, waiting = {name}, [name]
    while waiting:
        new = set(nested[waiting.pop()]) - members
        members |= new
        waiting.extend(new)
    nodes = [definitions[member] for member in members]
    listed = frozenset(person(word.text) for node in nodes for word in node.users)
    directories = frozenset(node.directory.text for node in nodes if node.directory)
    known = directories & drawn.keys()
    return Group(
        name=name,
        users=listed.union(*(drawn[each] for each in known)),
        directories=directories - known,
        members=frozenset(members),
        span=definitions[name].name.span,
        known=known,
        listed=listed,
    )


def _report_cycle(path: Sequence[str], definitions: Mapping[str, tree.GroupDef], findings: Findings) -> None:
    inner = next(word for word in definitions[path[-2]].groups if word.text == path[-1])
    findings.add(
        "SEG103",
        f"the group `{path[-1]}` contains itself",
        inner.span,
        path_text(path),
        help="take this name out of the group",
    )


def resolve_postures(definitions: Mapping[str, tree.PostureDef], findings: Findings) -> Mapping[str, Posture]:
    return {
        name: Posture(name, tuple(_fact(fact, findings) for fact in node.facts), node.name.span)
        for name, node in definitions.items()
    }


def _fact(fact: tree.Fact, findings: Findings) -> PostureFact:
    name, operator, text = fact.name.text, fact.operator, fact.value.text
    if operator == "within":
        return PostureFact(name, operator, duration(fact.value, findings) or LONGEST, "date")
    if fact.quoted and VERSION.fullmatch(text):
        return PostureFact(name, operator, text, "version")
    if is_decimal(text) and len(text) < 19 and not fact.quoted:
        return PostureFact(name, operator, int(text), "integer")
    if not fact.quoted and text not in ("true", "false"):
        boolean = _BOOLEANS.get(text.lower())
        findings.add(
            "SEG104",
            f"`{text}` is not a value of a fact",
            fact.value.span,
            "neither true, false, a number nor a string",
            help=f"write `{boolean}`" if boolean else f'put it in quotes: `"{text}"`',
        )
    elif operator not in ("=", "!="):
        help = 'write `=`, or a version made of numbers, such as `"14.2"`' if fact.quoted else "write `=`"
        findings.add("SEG104", f"`{operator}` cannot compare `{text}`", fact.span, help=help)
    if fact.quoted:
        return PostureFact(name, operator, text, "string")
    return PostureFact(name, operator, text == "true", "boolean")


def resolve_sessions(
    definitions: Sequence[tree.SessionDef], groups: Mapping[str, Group], findings: Findings
) -> tuple[SessionRule, ...]:
    rules: dict[str, SessionRule] = {}
    for node in definitions:
        if node.name.text not in groups:
            findings.unknown("group", node.name, groups)
        rule = SessionRule(
            node.name.text,
            max_age=setting_duration("max", node.settings, findings),
            idle=setting_duration("idle", node.settings, findings),
            span=node.name.span,
        )
        first = rules.setdefault(rule.group, rule)
        if first is not rule:
            findings.add(
                "SEG102",
                f"the sessions of `{rule.group}` are bounded twice",
                node.name.span,
                "again here",
                also=(Label(first.span, "first here"),),
                help="keep one of them",
            )
    return tuple(rules[name] for name in sorted(rules))


def setting_duration(key: str, settings: Sequence[tree.Setting], findings: Findings) -> int | None:
    """The seconds that a block gives for `key`, which may stand in it once."""
    given = [setting for setting in settings if setting.key.text == key]
    for again in given[1:]:
        findings.repeated(f"`{key}`", again.key, given[0].span)
    return duration(given[0].values[0], findings) if given else None


def duration(word: tree.Word, findings: Findings) -> int | None:
    seconds = parse_duration(word.text)
    if seconds is None:
        findings.add(
            "SEG104",
            f"`{word.text}` is not a length of time",
            word.span,
            "between 1s and 366d",
            help="write it as `90s`, `30m`, `10h` or `7d`",
        )
    return seconds


def parse_duration(text: str) -> int | None:
    """Seconds of `10h`, `1h30m`, `90s`; None where it is no length of time or longer than 366 days."""
    if not re.fullmatch(r"(\d{1,9}[smhd])+", text, re.ASCII):
        return None
    seconds = sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
    return seconds if 0 < seconds <= LONGEST else None
