"""`segc check`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from segc.cli import options
from segc.cli.bounds import as_data, as_text
from segc.cli.findings import FORMATS, brief, closing, counted, failed, print_report
from segc.cli.fix import fixes
from segc.cli.progress import progress
from segc.cli.reading import Reading, read
from segc.cli.suggest import write_texts
from segc.cli.terminal import complain, say
from segc.compile import limits
from segc.diagnostics.model import Report, Severity
from segc.workspace.paths import is_folder


@click.command("check")
@options.paths
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", help="How findings are shown."
)
@click.option("--notes", is_flag=True, help="Show notes in full, not only their number.")
@click.option("--fix", is_flag=True, help="First make the edits that are proved to change no verdict.")
@click.option(
    "--bounds", is_flag=True, help="Also tell how long each flow stays open to somebody who was removed."
)
@options.strict
@options.color
def command(
    paths: tuple[str, ...], format_: str, notes: bool, fix: bool, bounds: bool, strict: bool, color: str
) -> None:
    """Say what is wrong with a policy.

    PATH is a file, or a folder whose `.seg` files are read together; several make one policy.
    Without any, the current folder is checked. The exit code is 1 if there is an error. Notes are
    of what may well be meant, such as a deny that makes an exception to an allow.
    """
    if bounds and format_ not in ("text", "json"):
        raise click.UsageError("`--bounds` goes with `--format text` and `--format json`")
    started = time.monotonic()
    with progress() as tell:
        reading = read(paths, tell)
        if fix:
            reading = _fixed(paths, reading, tell)
        report = _with_limits(reading)
    shown = report if notes or format_ != "text" else brief(report)
    policy = reading.policy if bounds and _means_something(report) else None
    print_report(shown, format_, color, strict, {"bounds": as_data(policy)} if policy else {})
    if format_ == "text":
        hidden = len(report.diagnostics) - len(shown.diagnostics)
        say("\n" if shown.diagnostics else "")
        say(f"{as_text(policy)}\n" if policy else "")
        say(f"{counted(hidden, 'note')} not shown: see `segc check --notes`\n" if hidden else "")
        say(f"{closing(shown, reading, started, strict)}\n{_rest(paths, report)}")
    sys.exit(1 if failed(report, strict) else 0)


def _means_something(report: Report) -> bool:
    """Whether names and values are sound, whatever the checks of their meaning say."""
    return all(each.severity is not Severity.ERROR or each.code >= "SEG3" for each in report.diagnostics)


def _with_limits(reading: Reading) -> Report:
    """The report, also of what `segc compile` would refuse to write for a target."""
    report = reading.report
    if reading.policy is None or not _means_something(report):
        return report
    return reading.with_more(limits(reading.policy))


def _fixed(paths: tuple[str, ...], reading: Reading, tell: Callable[[str], None]) -> Reading:
    """The policy as read again after all edits."""
    while (found := fixes(reading)).texts:
        write_texts(reading.workspace.files, found.texts, complain)
        complain("".join(f"{each}; proved to change no verdict\n" for each in found.done))
        reading = read(paths, tell)
    complain("".join(f"{each}\n" for each in found.refused))
    return reading


def _rest(paths: tuple[str, ...], report: Report) -> str:
    """A hint where names are missing and a file was checked without the others of its folder."""
    if not any(each.code == "SEG101" for each in report.diagnostics):
        return ""
    folders = {Path(path).parent for path in paths if not is_folder(path)}
    alone = sorted(str(folder) for folder in folders if len(list(folder.glob("*.seg"))) > 1)
    if not alone:
        return ""
    return f"only the files named were read; `segc check {' '.join(alone)}` reads all of the folder\n"
