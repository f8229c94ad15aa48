"""The failing and the fixed example of each explained code; `segc.diagnostics.explain` says their form."""

from __future__ import annotations

import re
from typing import NamedTuple

from segc.diagnostics.explain import explanation

BLOCK = re.compile(r"^## (Fails|Fixed)\n+(?:[^#`].*\n+)*```seg\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"^# file: (\S+)(?: \(([\w-]+)\))?\n", re.MULTILINE)
WRITTEN = re.compile(r"^# written: (.+) => (.+)$", re.MULTILINE)
REPEAT = re.compile(r"^# repeat n = (\d+)-(\d+): (.*)$", re.MULTILINE)


class ExampleFile(NamedTuple):
    """A file of an example, its name relative to the folder that is checked."""

    name: str
    text: str
    encoding: str = "utf-8"


def examples(code: str) -> tuple[str, str]:
    """The failing and the fixed block of a code's page; ValueError if the page lacks either."""
    found = dict(BLOCK.findall(explanation(code) or ""))
    if found.keys() != {"Fails", "Fixed"}:
        raise ValueError(f"the page of {code} needs a block under each of Fails and Fixed")
    return found["Fails"], found["Fixed"]


def example_files(block: str) -> tuple[ExampleFile, ...]:
    """The files that a block stands for."""
    block = REPEAT.sub(_repeated, block)
    first, *rest = TITLE.split(block)
    if not rest:
        return (ExampleFile("policy.seg", block),)
    if first.strip():
        raise ValueError("a block of several files begins with `# file: name.seg`")
    return tuple(
        ExampleFile(name, text, encoding or "utf-8")
        for name, encoding, text in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    )


def slips(block: str) -> list[tuple[str, str]]:
    """What the compiler wrote in its rulesets, and what it should have written, the latter first."""
    return WRITTEN.findall(block)


def _repeated(match: re.Match[str]) -> str:
    numbers = range(int(match[1]), int(match[2]) + 1)
    return "\n".join(match[3].replace("{n-1}", str(n - 1)).replace("{n}", str(n)) for n in numbers)
