"""Ends, each resolved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segc.policy.ends.misread import check_misread, zones_of
from segc.policy.ends.names import instead
from segc.policy.ends.spaces import Spaces
from segc.policy.ends.text import end_text
from segc.policy.model import End, Group, Part, Subject, Zone
from segc.policy.nesting import Nesting, nesting, path_text, report_deep
from segc.policy.scope import Findings
from segc.space.prefixes import PrefixSet, union
from segc.syntax import tree


@dataclass
class Resolved:
    """What terms mean so far: addresses, the addresses of subjects, gateways."""

    space: list[PrefixSet] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)
    zones: set[str] = field(default_factory=set)  # that are named


@dataclass
class EndTable:
    """Resolves ends. An end that was resolved without a finding is remembered by its text."""

    zones: Mapping[str, Zone]
    definitions: Mapping[str, tree.SetDef]
    groups: Mapping[str, Group]
    gateways: Sequence[str]
    findings: Findings
    broken: set[str] = field(default_factory=set)  # zones and sets that lack what an error has spoken of
    sets: dict[str, End] = field(default_factory=dict)
    _within_set: str = ""
    _memo: dict[str, End] = field(default_factory=dict)
    _nesting: Nesting = field(init=False)
    _spaces: Spaces = field(init=False)
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._spaces = Spaces(self.zones, self.findings)
        self._names = (*self.zones, *self.definitions)
        self._nesting = nesting({name: _sets_in(node.end) for name, node in self.definitions.items()})

    def resolve_all(self) -> Mapping[str, End]:
        report_deep("set", self._nesting, self.definitions, self.findings)
        for name in self._nesting.order:
            self._within_set = name
            before = len(self.findings.diagnostics)
            node = self.definitions[name].end
            self.sets[name] = self._known(node)
            if len(self.findings.diagnostics) > before or self._uses_broken(node):
                self.broken.add(name)
            check_misread(node, self.zones, self.findings)
        self._within_set = ""
        return {name: self.sets[name] for name in self.definitions}

    def end(self, node: tree.End) -> End:
        check_misread(node, self.zones, self.findings)
        return self._known(node)

    def _known(self, node: tree.End) -> End:
        text = end_text(node)
        known = self._memo.get(text)
        if known is not None:
            return known
        before = len(self.findings.diagnostics)
        end = self._resolve(node, text)
        if len(self.findings.diagnostics) == before:
            if end.parts or end.gateways or self._uses_broken(node):
                self._memo[text] = end
            else:
                self._empty(node)
        return end

    def recall(
        self, text: str, parts: tuple[Part, ...], gateways: tuple[str, ...], zones: tuple[str, ...]
    ) -> End:
        """An end that was resolved before as `text`; equal ends are one object."""
        known = self._memo.get(text)
        if known is None:
            known = self._memo[text] = End(text, parts, gateways, zones)
        return known

    def _uses_broken(self, node: tree.End) -> bool:
        """Whether anything is missing from an end only because of an error reported elsewhere."""
        zones = (zone.text for term in node.terms for zone in zones_of(term))
        return not self.broken.isdisjoint((*_sets_in(node), *zones))

    def _resolve(self, node: tree.End, text: str) -> End:
        have, less = Resolved(), Resolved()
        for term in node.terms:
            self._add(term, have)
        for term in node.excepted:
            self._add(term, less)
        self._refuse_negated(node, less)
        removed = union(less.space)
        unless = _by_subject(less.parts)
        parts = [Part(union(have.space)), *have.parts]
        kept = (_without(part, removed, unless) for part in parts)
        return End(
            text=text,
            parts=tuple(dict.fromkeys(part for part in kept if part.space)),
            gateways=tuple(sorted(set(have.gateways) - set(less.gateways))),
            zones=tuple(sorted(have.zones)),
        )

    def _add(self, term: tree.Term, to: Resolved) -> None:
        match term:
            case tree.AnyTerm():
                to.space.append(self._spaces.everywhere)
            case tree.NameTerm():
                self._add_name(term, to)
            case tree.TagTerm(name):
                self._add_space(self._spaces.tag(name), to)
            case tree.AddressTerm(text, span):
                self._add_space(self._spaces.literal(text, span), to)
            case tree.GroupTerm(name, zones):
                if name.text not in self.groups:
                    self.findings.unknown(
                        "group", name, self.groups, f"define it: `group {name.text} {{ … }}`"
                    )
                self._add_people(Subject("group", name.text), zones, to)
            case tree.UserTerm(name, zones):
                self._add_people(Subject("user", self.findings.person(name)), zones, to)
            case tree.GatewayTerm(name):
                if name.text not in self.gateways:
                    self.findings.unknown("gateway", name, self.gateways)
                to.gateways.append(name.text)

    def _add_space(self, space: PrefixSet, to: Resolved) -> None:
        to.space.append(space)
        to.zones.update(self._spaces.lone(space))

    def _add_people(self, who: Subject, zones: tuple[tree.Word, ...], to: Resolved) -> None:
        to.parts.append(Part(self._spaces.within(zones), who))
        to.zones.update(zone.text for zone in zones if zone.text in self.zones)

    def _add_name(self, term: tree.NameTerm, to: Resolved) -> None:
        name = term.name.text
        if name in self.zones:
            to.zones.add(name)
            to.space.append(self._spaces.host(term) if term.host else self.zones[name].space)
        elif name in self.definitions and term.host is None:
            self._add_set(term, to)
        elif name in self.definitions:
            self.findings.add("SEG107", f"`{name}` is a set: it has no hosts", term.span, "not a zone")
        else:
            help = instead(term, self._spaces, self.groups, self.gateways)
            self.findings.unknown("zone or set", term.name, self._names, help)

    def _add_set(self, term: tree.NameTerm, to: Resolved) -> None:
        name = term.name.text
        path = self._nesting.cycles.get((self._within_set, name))
        if path is not None:
            self.findings.add(
                "SEG103",
                f"the set `{name}` contains itself",
                term.span,
                path_text(path),
                help="take this name out of the list",
            )
            return
        end = self.sets[name]
        to.space.extend(part.space for part in end.parts if not part.subject and not part.unless)
        to.parts.extend(part for part in end.parts if part.subject or part.unless)
        to.gateways.extend(end.gateways)
        to.zones.update(end.zones)

    def _refuse_negated(self, node: tree.End, less: Resolved) -> None:
        if any(part.unless for part in less.parts):
            self.findings.add(
                "SEG503",
                "a set that itself says `except group` cannot be taken out of an end",
                node.span,
                "who matches would hang on a session that must be missing",
                help="list what the end should hold",
            )

    def _empty(self, node: tree.End) -> None:
        label, help = "no address, group or gateway is left", "take something out of the `except`"
        if not node.excepted:
            label, help = "no address", "give the zone a `subnet`"
        self.findings.add(
            "SEG108", "this end holds nothing", node.span, label, help=f"{help}, or delete the statement"
        )


def _without(part: Part, removed: PrefixSet, unless: tuple[tuple[Subject, PrefixSet], ...]) -> Part:
    space = part.space - removed
    relevant = tuple(entry for entry in unless if entry[1].overlaps(space))
    return Part(space, part.subject, tuple(dict.fromkeys((*part.unless, *relevant))))


def _sets_in(node: tree.End) -> tuple[str, ...]:
    terms = (*node.terms, *node.excepted)
    return tuple(term.name.text for term in terms if isinstance(term, tree.NameTerm))


def _by_subject(parts: Sequence[Part]) -> tuple[tuple[Subject, PrefixSet], ...]:
    """Where each subject is taken out: a subject given twice stands once, with all its places."""
    spaces: dict[Subject, list[PrefixSet]] = {}
    for part in parts:
        if part.subject:
            spaces.setdefault(part.subject, []).append(part.space)
    return tuple((subject, union(spaces[subject])) for subject in sorted(spaces))
