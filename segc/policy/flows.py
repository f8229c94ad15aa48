"""Flows and promises: statements that relate two ends over services."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segc.diagnostics.model import Label
from segc.policy import calendar
from segc.policy.ends.table import EndTable
from segc.policy.model import (
    NO_CONDITIONS,
    Conditions,
    End,
    Expectation,
    Flow,
    Limit,
    Never,
    Posture,
    Schedule,
    Step,
    Test,
    Workflow,
)
from segc.policy.packed import FileFlows
from segc.policy.scope import Findings
from segc.policy.services import ServiceTable
from segc.source import Span
from segc.space.services import ANY_SERVICE, ServiceSet
from segc.syntax import tree

LIMIT_UNITS = ("second", "minute", "hour", "day")
NO_OPTIONS = tree.Options()


@dataclass
class FlowReader:
    ends: EndTable
    services: ServiceTable
    postures: Mapping[str, Posture]
    timezone: str
    findings: Findings

    def flows(self, nodes: Sequence[tree.Flow]) -> FileFlows:
        """The flows of one file, in order of their ids."""
        names = [(node.name.text, node.name.span) for node in nodes if node.name]
        flows = sorted(map(self.flow, nodes), key=lambda flow: (flow.id, flow.span))
        return FileFlows(flows, names)

    def flow(self, node: tree.Flow) -> Flow:
        source, destination = self.ends.end(node.source), self.ends.end(node.destination)
        options = node.options
        plain = options == NO_OPTIONS
        conditions = NO_CONDITIONS if plain else self._conditions(options, source)
        self._check_families(node, source, destination)
        return make_flow(
            action=node.action,
            staged=node.staged,
            name=node.name.text if node.name else None,
            source=source,
            destination=destination,
            services=self.services.union(node.services),
            conditions=conditions,
            limit=self._limit(options.limit, node.action) if options.limit else None,
            log=options.log is not None,
            span=node.span,
        )

    def _check_families(self, node: tree.Flow, source: End, destination: End) -> None:
        if source.gateways or destination.gateways or not source.parts or not destination.parts:
            return
        families = [_families(source), _families(destination)]
        if families[0] & families[1]:
            return
        self.findings.add(
            "SEG206",
            "the ends of this flow have no address family in common: it never matches",
            node.span,
            also=(
                Label(node.source.span, _family_text(families[0])),
                Label(node.destination.span, _family_text(families[1])),
            ),
            help="give both ends addresses of one family",
        )

    def _conditions(self, options: tree.Options, source: End) -> Conditions:
        for again in options.repeated:
            self.findings.add("SEG105", f"`{again.text}` is given twice", again.span, help="keep one of them")
        mfa, postures = self._requirements(options.require, source)
        not_before, not_after = self._dates(options)
        return Conditions(
            mfa=mfa,
            postures=postures,
            schedule=self._schedule(options.when) if options.when else None,
            not_before=not_before,
            not_after=not_after,
        )

    def _requirements(
        self, requirements: tuple[tree.Requirement, ...], source: End
    ) -> tuple[bool, tuple[str, ...]]:
        mfa, postures = self.facts(requirements)
        if requirements and not source.identified and (source.parts or source.gateways):
            self.findings.add(
                "SEG106",
                "`require` needs a group or a user as the source",
                requirements[0].span.to(requirements[-1].span),
                "an address alone proves nothing of whoever uses it",
                help="write `group NAME in ZONE` as the source",
            )
        return mfa, postures

    def facts(self, requirements: tuple[tree.Requirement, ...]) -> tuple[bool, tuple[str, ...]]:
        mfa, postures = False, set()
        for requirement in requirements:
            if requirement.posture is None:
                mfa = True
                continue
            postures.add(requirement.posture.text)
            if requirement.posture.text not in self.postures:
                help = f"define it: `posture {requirement.posture.text} {{ disk_encrypted = true }}`"
                self.findings.unknown("posture", requirement.posture, self.postures, help)
        return mfa, tuple(sorted(postures))

    def _schedule(self, when: tree.When) -> Schedule:
        days: tuple[int, ...] = ()
        for word in when.days:
            try:
                days += calendar.parse_days((word.text,))
            except ValueError as error:
                self.findings.add("SEG104", str(error), word.span, "not a day")
        start, end = 0, calendar.MINUTES_PER_DAY
        if when.hours is not None:
            try:
                start, end = calendar.parse_hours(when.hours.text)
            except ValueError as error:
                self.findings.add("SEG104", str(error), when.hours.span, "not a time span")
        return Schedule(tuple(sorted(set(days))), start, end, self.timezone)

    def _dates(self, options: tree.Options) -> tuple[int | None, int | None]:
        bounds: list[int | None] = []
        for word, bound in (
            (options.not_before, calendar.start_of_day),
            (options.until, calendar.end_of_day),
        ):
            try:
                bounds.append(None if word is None else bound(calendar.parse_date(word.text), self.timezone))
            except ValueError as error:
                assert word is not None
                help = "write it as `2027-03-31`; what has no such bound is written without it"
                self.findings.add("SEG104", str(error), word.span, help=help)
                bounds.append(None)
        first, last = bounds
        if first is not None and last is not None and first >= last:
            assert options.until is not None
            self.findings.add(
                "SEG302",
                "this flow ends before it begins",
                options.until.span,
                "before the date of `from`",
                help="exchange the dates",
            )
        return first, last

    def _limit(self, word: tree.Word, action: str) -> Limit | None:
        if action == "deny":
            self.findings.add(
                "SEG104",
                "a deny takes no limit: what is beyond it would pass",
                word.span,
                "not for a deny",
                help="deny it all, or put the limit on what allows it",
            )
            return None
        match = re.fullmatch(r"([0-9]{1,9})/([a-z]+)", word.text)
        if match and match[2] in LIMIT_UNITS and 0 < int(match[1]) < 2**31:
            return Limit(int(match[1]), match[2])
        self.findings.add(
            "SEG104",
            f"`{word.text}` is not a limit",
            word.span,
            help="write it as `200/second`: a whole number of 1 to 999,999,999, and "
            f"one of {', '.join(LIMIT_UNITS)}",
        )
        return None

    def nevers(self, nodes: Sequence[tree.Never]) -> tuple[Never, ...]:
        return tuple(
            Never(
                self.ends.end(node.source),
                self.ends.end(node.destination),
                self.services.union(node.services) if node.services else ANY_SERVICE,
                node.transitive,
                node.span,
            )
            for node in nodes
        )

    def workflows(self, nodes: Sequence[tree.Workflow]) -> tuple[Workflow, ...]:
        return tuple(
            Workflow(node.name.text, tuple(self._step(step) for step in node.steps), node.name.span)
            for node in nodes
        )

    def _step(self, node: tree.Step) -> Step:
        ends = self.ends.end(node.source), self.ends.end(node.destination)
        return Step(*ends, self.services.union(node.services), node.span)

    def tests(self, nodes: Sequence[tree.Test]) -> tuple[Test, ...]:
        return tuple(
            Test(
                node.title.text, tuple(self._expectation(line) for line in node.expectations), node.title.span
            )
            for node in nodes
        )

    def _expectation(self, node: tree.Expectation) -> Expectation:
        mfa, postures = self.facts(node.facts)
        at = None
        if node.at is not None:
            try:
                at = calendar.parse_moment(node.at.text, self.timezone)
            except ValueError as error:
                self.findings.add("SEG104", str(error), node.at.span, "not a moment")
        source, destination = self.ends.end(node.source), self.ends.end(node.destination)
        services = self.services.union(node.services)
        return Expectation(node.action, source, destination, services, mfa, postures, at, node.span)


def check_names(names: Iterable[tuple[str, Span]], findings: Findings) -> None:
    """`SEG102`: two flows of one name."""
    named: dict[str, Span] = {}
    for name, span in names:
        first = named.setdefault(name, span)
        if first is not span:
            findings.add(
                "SEG102",
                f"two flows are named `{name}`",
                span,
                "again here",
                also=(Label(first, "first here"),),
                help="a name counts one flow: rename one of them",
            )


def make_flow(
    *,
    action: str,
    staged: bool = False,
    name: str | None = None,
    source: End,
    destination: End,
    services: ServiceSet,
    conditions: Conditions = NO_CONDITIONS,
    limit: Limit | None = None,
    log: bool = False,
    kind: str = "flow",
    span: Span,
) -> Flow:
    """A flow with its id: the name it was given, or its ends and a digest of all that it means."""
    if name is not None:
        ident = name
    else:
        ends = source.text, destination.text, str(services)
        meaning = (action, staged, *ends, _values(conditions), _values(limit), log, kind)
        digest = hashlib.blake2b(repr(meaning).encode(), digest_size=4).hexdigest()
        ident = f"{_slug(source)}-{_slug(destination)}-{digest}"
    return Flow(ident, action, staged, source, destination, services, conditions, limit, log, kind, span)


def _values(item: object) -> object:
    """A named tuple without the names of its fields, which may change while the meaning does not."""
    return tuple(map(_values, item)) if isinstance(item, tuple) else item


def _slug(end: End) -> str:
    first = end.text.partition(",")[0].partition(" except")[0]
    return re.sub(r"[^A-Za-z0-9_.]+", "_", first).strip("_")[:24]


def _families(end: End) -> frozenset[int]:
    return frozenset(family for part in end.parts for family in part.space.families)


def _family_text(families: frozenset[int]) -> str:
    return "only IPv4" if families == {4} else "only IPv6"


def gateway_end(name: str) -> End:
    return End(f"gateway {name}", (), (name,))
