"""Who vouches for sessions, where members of groups come from, and how soon somebody's access must end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from segc.identity.kinds import KINDS, Kind
from segc.identity.snapshot import Snapshot
from segc.policy.identities import duration, setting_duration
from segc.policy.model import Directory, Group, Posture, Revocation, Source, Zone
from segc.policy.scope import Findings
from segc.source import Span
from segc.syntax import tree

TIMEOUT = 30  # seconds in which a directory that is there answers


def resolve_sources(
    definitions: Mapping[str, tree.SourceDef],
    zones: Mapping[str, Zone],
    postures: Mapping[str, Posture],
    findings: Findings,
) -> Mapping[str, Source]:
    return {name: _source(node, zones, postures, findings) for name, node in definitions.items()}


def _source(
    node: tree.SourceDef, zones: Mapping[str, Zone], postures: Mapping[str, Posture], findings: Findings
) -> Source:
    kind = KINDS.get(node.kind.text)
    if kind is None:
        findings.unknown("kind of source", node.kind, KINDS, f"there are: {', '.join(KINDS)}")
    else:
        _check_abilities(node, kind, findings)
    settings = node.settings
    return Source(
        name=node.name.text,
        kind=node.kind.text,
        zones=_known("zone", _words("zone", settings), zones, findings),
        mfa=any(setting.key.text == "mfa" for setting in settings),
        postures=_known("posture", _words("posture", settings), postures, findings),
        max_age=setting_duration("max", settings, findings),
        span=node.name.span,
    )


def _check_abilities(node: tree.SourceDef, kind: Kind, findings: Findings) -> None:
    """What a source of its kind cannot know, it cannot vouch for."""
    for setting in node.settings:
        key = setting.key.text
        if (key == "mfa" and not kind.mfa) or (key == "posture" and not kind.posture):
            what = "a second factor" if key == "mfa" else "a posture"
            findings.add(
                "SEG107",
                f"`{node.kind.text}` cannot vouch for {what}",
                setting.span,
                help="delete it here; another source of the zone may vouch for it",
            )
    if kind.assurance is not None and not _words("zone", node.settings):
        findings.add(
            "SEG109",
            f"the source `{node.name.text}` vouches for nobody: it has no zone",
            node.name.span,
            help="add `zone NAME`: where those whom it knows have their addresses",
        )


def _words(key: str, settings: Sequence[tree.Setting]) -> list[tree.Word]:
    return [word for setting in settings if setting.key.text == key for word in setting.values]


def _known(
    what: str, words: Iterable[tree.Word], known: Mapping[str, object], findings: Findings
) -> tuple[str, ...]:
    words = list(words)
    for word in words:
        if word.text not in known:
            findings.unknown(what, word, known)
    return tuple(sorted({word.text for word in words if word.text in known}))


def resolve_directories(
    definitions: Mapping[str, tree.DirectoryDef],
    groups: Mapping[str, tree.GroupDef],
    snapshots: Sequence[Snapshot],
    findings: Findings,
) -> Mapping[str, Directory]:
    drawn = frozenset(node.directory.text for node in groups.values() if node.directory)
    snapshot = snapshots[0] if snapshots else None
    return {name: _directory(node, drawn, snapshot, findings) for name, node in definitions.items()}


def _directory(
    node: tree.DirectoryDef, drawn: frozenset[str], snapshot: Snapshot | None, findings: Findings
) -> Directory:
    name = node.name.text
    known = snapshot.directory(name) if snapshot else None
    if snapshot and known is None:
        names = [each.name for each in snapshot.directories]
        findings.unknown("directory", node.name, names, f"`{snapshot.span.path}` holds: {', '.join(names)}")
    sync = setting_duration("sync", node.settings, findings)
    if not any(setting.key.text == "sync" for setting in node.settings):
        findings.add(
            "SEG109",
            f"the directory `{name}` is never asked",
            node.name.span,
            help="add `sync 5m`: how often it is asked who has left",
        )
    return Directory(
        name=name,
        sync=sync or 0,
        timeout=setting_duration("timeout", node.settings, findings) or TIMEOUT,
        users=frozenset(known.users) if known else None,
        groups=frozenset(each for each in drawn if known.group(each.removeprefix(f"{name}/")))
        if known
        else None,
        span=node.name.span,
    )


def resolve_revocations(
    nodes: Sequence[tree.Revoke], groups: Mapping[str, Group], findings: Findings
) -> tuple[Revocation, ...]:
    first: dict[str | None, Span] = {}
    found = []
    for node in nodes:
        group = node.group.text if node.group else None
        if node.group and group not in groups:
            findings.unknown("group", node.group, groups)
        if group in first:
            word = node.group or node.within
            findings.repeated(f"`revoke group {group}`" if group else "`revoke`", word, first[group])
        first.setdefault(group, node.span)
        found.append(Revocation(group, duration(node.within, findings) or 0, node.span))
    return tuple(sorted(found, key=lambda each: (each.group or "", each.within)))
