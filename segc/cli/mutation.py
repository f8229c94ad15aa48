"""What `segc test --mutate` adds: the changes that nothing notices, and the tests that would."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from segc.analysis.adequacy import Adequacy, Missed
from segc.cli.findings import counted
from segc.cli.records import statement
from segc.diagnostics.junit import Case
from segc.diagnostics.measure import printable
from segc.policy.model import Flow
from segc.source import SourceFile, Span

Sources = Mapping[str, SourceFile]


def as_text(found: Adequacy, sources: Sources, seconds: float) -> str:
    lines = [""]
    for span, missed in _by_statement(found):
        changes = ", ".join(dict.fromkeys(each.mutant.change for each in missed))
        lines += [printable(span.place), *_quoted(span, sources), f"  nothing would notice it {changes}", ""]
    if proposed := proposed_tests(found):
        lines += ["these tests would; they pass:", "", *map(printable, proposed.splitlines()), ""]
    return "\n".join([*lines, f"{_summary(found)} · {seconds:.1f} s"]) + "\n"


def _summary(found: Adequacy) -> str:
    if found.score is None:
        return "no statement to change"
    told = found.noticed + len(found.missed)
    same = f", {found.equivalent} more mean the same" if found.equivalent else ""
    return f"{found.noticed} of {counted(told, 'change')} noticed ({found.score:.0%}){same}"


def _by_statement(found: Adequacy) -> list[tuple[Span, list[Missed]]]:
    """`serve dns, ntp` is one statement, although it implies two flows."""
    grouped: dict[Span, list[Missed]] = {}
    for each in found.missed:
        grouped.setdefault(each.mutant.flow.span, []).append(each)
    return list(grouped.items())


def _quoted(span: Span, sources: Sources) -> Iterator[str]:
    text = sources[span.path].text[span.start : span.end]
    for line in textwrap.dedent(text).splitlines():
        yield f"  {printable(line.expandtabs(4).rstrip())}"


def proposed_tests(found: Adequacy) -> str:
    """A `test` block for each statement that needs one."""
    blocks: dict[str, list[str]] = {}
    for each in found.missed:
        if each.proposal is not None:
            blocks.setdefault(_title(each.mutant.flow), []).append(each.proposal.text)
    texts = []
    for title, lines in blocks.items():
        body = "".join(f"  {line}\n" for line in dict.fromkeys(lines))
        texts.append(f'test "{title}" {{\n{body}}}\n')
    return "\n".join(texts)


def _title(flow: Flow) -> str:
    ends = f"{flow.source.text} -> {flow.destination.text}"
    return f"{flow.action} {ends}".replace('"', "'")


def as_object(found: Adequacy, sources: Sources) -> dict[str, object]:
    """See `mutation` in `segc/schemas/test.schema.json`."""
    return {
        "score": found.score,
        "noticed": found.noticed,
        "equivalent": found.equivalent,
        "missed": [
            {
                "statement": statement(each.mutant.flow, sources),
                "change": each.mutant.change,
                "proposal": each.proposal.text if each.proposal else None,
            }
            for each in found.missed
        ],
        "proposed": proposed_tests(found),
    }


def as_cases(found: Adequacy, sources: Sources, strict: bool) -> Iterator[Case]:
    """A case for each statement of which something is missed; it fails only with `strict`."""
    for span, missed in _by_statement(found):
        name = " ".join(sources[span.path].text[span.start : span.end].split())
        changes = [f"nothing would notice it {each.mutant.change}" for each in missed]
        lines = dict.fromkeys(each.proposal.text for each in missed if each.proposal)
        text = "\n".join([*changes, *(f"this would: {line}" for line in lines)])
        where = f"{span.place} {name}"
        if strict:
            yield Case(where, span.path, failure=text, kind="unnoticed")
        else:
            yield Case(where, span.path, output=text)
