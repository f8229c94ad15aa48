"""The pages behind `segc explain CODE`.

A page is `segc/explain/<code>.md`: a heading `# SEG301 dead-flow`, a paragraph, `## Fails` and `## Fixed`
with a `seg` block each, and perhaps `## When to accept it`. In the failing block the line where the finding
begins ends in `# <- SEG301`; a finding about a file that cannot be read, or is no policy, has no such line.

Where a block needs several files, a line `# file: name.seg` begins each; `# file: name.seg (latin-1)` says
that the file is written in another encoding than UTF-8. Without such a line it is one file, `policy.seg`.
A line `# repeat n = 1-9: …{n}…{n-1}…` stands for as many lines, for what only size brings about; then, too,
no line says where the finding begins. A line `# written: A => B` says that the compiler wrote B for A in
its rulesets: for what only a mistake of its own brings about.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache
from importlib.resources import files

from segc.diagnostics.codes import RULES
from segc.diagnostics.measure import printable

BOLD, DIM, RESET = "\x1b[1m", "\x1b[36m", "\x1b[0m"


@cache
def explanation(code: str) -> str | None:
    """The Markdown of a code's page; None where there is no such code or no page."""
    if code not in RULES:
        return None
    page = files("segc").joinpath("explain", f"{code}.md")
    return page.read_text(encoding="utf-8") if page.is_file() else None


def lead(code: str) -> str:
    """The first paragraph of a code's page on one line; empty without a page."""
    page = explanation(code) or ""
    return " ".join(page.partition("\n\n")[2].partition("\n\n")[0].split())


def render_explanation(code: str, color: bool, width: int) -> str | None:
    """A page for the terminal: headings bold, prose filled to `width`, code indented; None without a page."""
    page = explanation(code)
    if page is None:
        return None
    lines: list[str] = []
    for position, part in enumerate(re.split(r"^```\w*\n", page, flags=re.MULTILINE)):
        if position % 2:
            code_lines = map(printable, part.splitlines())
            lines += [
                f"    {DIM}{line}{RESET}" if color and line else f"    {line}".rstrip() for line in code_lines
            ]
        else:
            lines += _prose(part, color, max(width, 40))
    return "\n".join(lines).strip("\n") + "\n"


def _prose(markdown: str, color: bool, width: int) -> list[str]:
    lines: list[str] = [""]
    for paragraph in re.split(r"\n{2,}", markdown.strip("\n")):
        heading = re.fullmatch(r"#+ (.*)", paragraph)
        if heading:
            lines.append(f"{BOLD}{heading[1]}{RESET}" if color else heading[1])
        else:
            lines += textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False)
        lines.append("")
    return lines
