"""`segc fmt`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from segc import workspace
from segc.cli import options
from segc.cli.file import replace_file
from segc.cli.findings import counted, show
from segc.cli.given import given
from segc.cli.progress import progress
from segc.cli.terminal import colored, emit, say
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Diagnostic, Report
from segc.source import SourceFile
from segc.space.words import system_reason
from segc.syntax.format import format_source
from segc.syntax.parse import parse
from segc.workspace import Workspace
from segc.workspace.paths import MAX_BYTES

UNREADABLE = ("SEG001", "SEG002", "SEG006")
STYLES = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}


@click.command("fmt")
@options.paths
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a file is not in the layout.")
@click.option("--diff", is_flag=True, help="Change nothing; print what would change.")
@options.color
def command(paths: tuple[str, ...], check: bool, diff: bool, color: str) -> None:
    """Put policies into the one layout, in place.

    Only white space changes, and what the policy means never does. A file with syntax errors is
    left as it is. `-` reads from standard input and prints the result.
    """
    if "-" in paths:
        if len(paths) > 1:
            raise click.UsageError("`-` is standard input, and cannot be named along with files")
        _filter(check, diff, color)
        return
    with progress() as tell:
        found = workspace.load(paths or ["."])
        tell("formatting")
        problems = _problems(found, paths or ["."])
        named = [source for source, _ in found.files if _is_text(source, paths or ["."])]
        broken = {each.primary.span.path for each in problems if each.primary}
        whole = [source for source in named if source.path not in broken]
        changes = [(each, text) for each in whole if (text := format_source(each)) != each.text]
    show(Report(problems, found.sources).sorted(), color)
    refused = sum(not _apply(source, text, check, diff, color) for source, text in changes)
    _close(len(changes) - refused, len(whole) - len(changes), check or diff)
    sys.exit(1 if problems or refused or (check and changes) else 0)


def _filter(check: bool, diff: bool, color: str) -> None:
    """From standard input to standard output."""
    source = SourceFile("<stdin>", given("-", MAX_BYTES))
    _, problems = parse(source)
    show(Report(problems, (source,)).sorted(), color)
    if problems:
        sys.exit(1)
    text = format_source(source)
    if diff:
        say(_difference(source, text, colored(color, sys.stdout)))
    elif not check:
        emit(text)
    sys.exit(1 if check and text != source.text else 0)


def _problems(found: Workspace, paths: Sequence[str]) -> tuple[Diagnostic, ...]:
    """What keeps a named file from being formatted. What its imports lack does not."""
    read = {source.path for source, _ in found.files}
    return tuple(
        each
        for each in found.diagnostics
        if each.code in UNREADABLE
        and (each.primary is None or _below(each.primary.span.path, paths))
        and not (each.code == "SEG002" and each.primary and each.primary.span.path in read)
    )


def _is_text(source: SourceFile, paths: Sequence[str]) -> bool:
    """Whether it is a file of ours to lay out: a snapshot of directories has its layout."""
    return source.path.endswith(".seg") and _below(source.path, paths)


def _below(path: str, paths: Sequence[str]) -> bool:
    """Whether a file was named, itself or by a folder; imports lead to others."""
    real = Path(path).resolve()
    return any(real == top or top in real.parents for top in (Path(each).resolve() for each in paths))


def _apply(source: SourceFile, text: str, check: bool, diff: bool, color: str) -> bool:
    name = printable(source.path)
    ends_alone = source.text.splitlines() == text.splitlines()
    if diff and not ends_alone:
        say(_difference(source, text, colored(color, sys.stdout)))
    elif diff or check:
        say(f"{name} would change{', and only how its lines end' * ends_alone}\n")
    else:
        try:
            replace_file(source.path, source.text, text)
        except OSError as error:
            reason = system_reason(error)
            click.echo(f"Error: `{name}` cannot be written: {reason}; it is as it was", err=True)
            return False
        say(f"formatted {name}\n")
    return True


def _difference(source: SourceFile, text: str, color: bool) -> str:
    before, after = source.text.splitlines(), text.splitlines()
    lines = difflib.unified_diff(before, after, source.path, f"{source.path} (formatted)", lineterm="")
    shown = [printable(line) for line in lines]
    if color:
        shown = [f"{STYLES[line[0]]}{line}\x1b[0m" if line[:1] in STYLES else line for line in shown]
    return "".join(f"{line}\n" for line in shown)


def _close(changed: int, right: int, dry: bool) -> None:
    if not changed:
        say(f"{counted(right, 'file')} in the layout already\n" if right else "")
        return
    verb = "would change" if dry else "formatted"
    say(f"{counted(changed, 'file')} {verb}, {right} left as {'it is' if right == 1 else 'they are'}\n")
