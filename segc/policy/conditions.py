"""Under which conditions a flow holds: who asks, at what times, and how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from segc.policy import calendar
from segc.policy.model import Conditions, End, Limit, Posture, Schedule
from segc.policy.scope import Findings
from segc.syntax import tree

LIMIT_UNITS = ("second", "minute", "hour", "day")


@dataclass
class ConditionReader:
    postures: Mapping[str, Posture]
    timezone: str
    findings: Findings

    def read(self, options: tree.Options, source: End) -> Conditions:
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
        first = self._date(options.not_before, calendar.start_of_day)
        last = self._date(options.until, calendar.end_of_day)
        if options.until is not None and first is not None and last is not None and first >= last:
            self.findings.add(
                "SEG302",
                "this flow ends before it begins",
                options.until.span,
                "before the date of `from`",
                help="exchange the dates",
            )
        return first, last

    def _date(self, word: tree.Word | None, bound: Callable[[date, str], int]) -> int | None:
        if word is None:
            return None
        try:
            return bound(calendar.parse_date(word.text), self.timezone)
        except ValueError as error:
            help = "write it as `2027-03-31`; what has no such bound is written without it"
            self.findings.add("SEG104", str(error), word.span, help=help)
            return None

    def limit(self, word: tree.Word, action: str) -> Limit | None:
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
