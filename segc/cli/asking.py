"""`from X to Y` on the command line, as a question in the terms of the policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

from segc.analysis.conflicts.context import Context
from segc.analysis.reach.questions import Question, question_of
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Diagnostic, Severity
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.words import quote
from segc.syntax import tree
from segc.syntax.parse import parse
from segc.workspace import Workspace

PATH = "the question"  # no file is called so: names of files that are read end in `.seg`
SIDES = ("from", "to")
MIXED_FAMILIES = "SEG206"


class Asked(NamedTuple):
    """The words of both ends, empty where an end is left open, and of services."""

    source: str
    destination: str
    services: str

    def __str__(self) -> str:
        words = [f"{side} {end}" for side, end in zip(SIDES, self[:2], strict=True) if end]
        return " ".join([*words, *([f": {self.services}"] if self.services != "any" else [])])


def asked(words: Sequence[str], services: Sequence[str]) -> Asked | None:
    """The ends behind `from` and `to`; None without words. A shell takes the quotes off `user "name"`."""
    ends: dict[str, list[str]] = {}
    side = ""
    for word in words:
        if word in SIDES and word not in ends:
            side = word
            ends[side] = []
        elif not side:
            raise click.UsageError(
                f"{quote(printable(word))} is unexpected here: write `from` or `to`, and then an end"
            )
        else:
            ends[side].append(word)
    for side, end in ends.items():
        if not end:
            raise click.UsageError(f"`{side}` needs an end: a zone, `zone.host`, an address, `group NAME`…")
    if not ends:
        return None
    texts = {side: re.sub(r'\buser\s+([^\s",]+)', r'user "\1"', " ".join(end)) for side, end in ends.items()}
    return Asked(texts.get("from", ""), texts.get("to", ""), ", ".join(services) or "any")


def put(
    question: Asked, policy: Policy, read: Workspace, *, across_families: bool = False
) -> tuple[Context, Question]:
    """The policy surveyed with the question; click.UsageError where it makes no sense.

    With `across_families` the ends need none in common: a host on the way may have both.
    """
    anything = ", ".join(["any", *(f"gateway {name}" for name in policy.gateways)])
    ends = question.source or anything, question.destination or anything
    text = f"staged allow {ends[0]} -> {ends[1]} : {question.services}"
    file, found = parse(SourceFile(PATH, text))
    statement = file.statements[0] if len(file.statements) == 1 else None
    plain = isinstance(statement, tree.Flow) and statement.options == tree.Options()
    if found or not isinstance(statement, tree.Flow) or not plain:
        words = quote(printable(str(question)))
        raise click.UsageError(f"{words} is no question: write ends as flows have them, such as `to hr`")
    resolved, diagnostics = resolve([*(each for _, each in read.files), file], read.memo)
    _refuse((each for each in diagnostics if not across_families or each.code != MIXED_FAMILIES), text)
    flow = next(each for each in resolved.flows if each.span.path == PATH)
    context = Context(resolved)
    personal = [
        all(isinstance(term, tree.GroupTerm | tree.UserTerm) and not term.zones for term in end.terms)
        for end in (statement.source, statement.destination)
    ]
    open_ends = not question.source, not question.destination
    return context, question_of(context, flow)._replace(
        from_all=open_ends[0], to_all=open_ends[1], sessions=(personal[0], personal[1])
    )


def _refuse(diagnostics: Iterable[Diagnostic], text: str) -> None:
    """In words for who asks, and sees neither the text nor a statement that could be deleted."""
    for each in diagnostics:
        if each.severity is Severity.ERROR and each.primary and each.primary.span.path == PATH:
            span = each.primary.span
            message = each.message.replace("this end", quote(printable(text[span.start : span.end])))
            help = each.help.removesuffix(", or delete the statement")
            raise click.UsageError(f"{message}{f': {help}' if help else ''}")
