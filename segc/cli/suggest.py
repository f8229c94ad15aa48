"""`segc suggest`."""

from __future__ import annotations

import difflib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import click

from segc import compile
from segc.analysis.reach.exposure import Exposure
from segc.analysis.segmentation import suggestions
from segc.analysis.segmentation.absorbing import merged
from segc.analysis.segmentation.alike import merge, torn
from segc.analysis.segmentation.edits import Files, apply, deletions, reread
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.proof import prove
from segc.analysis.segmentation.wording import certificate, some
from segc.cli import options
from segc.cli.file import replace_file
from segc.cli.findings import show
from segc.cli.progress import progress
from segc.cli.reading import Reading, read
from segc.cli.terminal import colored, say
from segc.diagnostics.accept import apply_acceptances
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Report, Severity
from segc.diagnostics.suggest import did_you_mean
from segc.policy.model import Policy
from segc.space.words import system_reason

STYLES = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}

policy_option = click.option(
    "-p", "--policy", "paths", multiple=True, metavar="PATH", type=click.Path(),
    help="The policy, a file or a folder; repeatable. Default: the current folder.",
)  # fmt: skip
write_option = click.option("--write", is_flag=True, help="Change the files instead of printing a diff.")


@click.group("suggest")
def command() -> None:
    """Edits that make a policy simpler, each with a proof of what it changes."""


@command.command("merge")
@click.argument("zones", nargs=-1, metavar="[ZONE ZONE...]")
@policy_option
@write_option
@options.color
def merge_zones(zones: tuple[str, ...], paths: tuple[str, ...], write: bool, color: str) -> None:
    """Make one zone of two or more: the others go into the first.

    Without names, all zones that are the same to the policy, or nearly, with what merging them would
    expose, open and save.
    """
    if len(zones) == 1 or len(set(zones)) != len(zones):
        raise click.UsageError("name two zones or more, or none to see which could be merged")
    reading, policy = _read(paths, color)
    outline = Outline(policy)
    if not zones:
        say(_overview(outline))
        return
    numbers = {zone.name: number for number, zone in enumerate(outline.zones)}
    for name in zones:
        if name not in numbers:
            near = did_you_mean(name, numbers)
            raise click.ClickException(f"there is no zone `{printable(name)}`{near and f': {near}'}")
        if policy.zones[name].external:
            raise click.ClickException(f"`{name}` is the external zone: it is all that no other zone claims")
    if gateway := torn(policy, zones):
        raise click.ClickException(_apart(gateway, zones))
    for note in certificate(merge(outline, *(numbers[name] for name in zones))):
        say(f"# {note}\n")
    files = reading.workspace.files
    _offer(policy, files, merged(files, *zones), write, color)


def _apart(gateway: str, zones: Sequence[str]) -> str:
    listed = ", ".join(f"`{zone}`" for zone in zones)
    return (
        f"{listed} sit on different interfaces of gateway `{gateway}`, and as one zone the first would have "
        "all that `address` gives: write each address in its interface first, or bridge the interfaces"
    )


@command.command("delete")
@policy_option
@write_option
@options.color
def delete_unused(paths: tuple[str, ...], write: bool, color: str) -> None:
    """Delete the sets, services, groups and postures that nothing needs."""
    reading, policy = _read(paths, color)
    files = reading.workspace.files
    edits = list(deletions(files, ((each.kind, each.name) for each in policy.unused)))
    if not edits:
        say("every name is used\n")
        return
    _offer(policy, files, apply(files, edits), write, color)


@command.command("exposure")
@policy_option
@options.color
def exposure(paths: tuple[str, ...], color: str) -> None:
    """How far somebody comes who takes over a host of a zone, or an account of a group.

    Zones that have anything in reach: in one hop, in two, in any number. The score is the share of
    zones that stay out of reach, on average: 100 means that nothing leads anywhere.
    """
    _, policy = _read(paths, color)
    say(_exposure(Exposure(policy)))


def _read(paths: tuple[str, ...], color: str) -> tuple[Reading, Policy]:
    with progress() as tell:
        reading = read(paths, tell, checks=False)
    if reading.policy is None or reading.report.errors:
        show(reading.report, color)
        sys.exit(1)
    return reading, reading.policy


def _overview(outline: Outline) -> str:
    lines: list[str] = []
    for kind, found in suggestions(outline):
        lines.append(f"{' '.join(zone.name for zone in found.zones)}: {kind}")
        lines += [f"  {note}" for note in certificate(found)]
    return "".join(f"{line}\n" for line in lines or ["no two zones are the same to the policy, or nearly"])


def _exposure(exposure: Exposure) -> str:
    rows: list[tuple[str, ...]] = [("", "one hop", "two", "any number")]
    for zone in exposure.inner:
        counts = (len(exposure.zones(mask, but=zone)) for mask in exposure.of_zone(zone))
        rows.append((zone, *map(str, counts)))
    for name in exposure.survey.policy.groups:
        counts = (len(exposure.zones(mask)) for mask in exposure.of_group(name))
        rows.append((f"group {name}", *map(str, counts)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = (
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
    score = f"least privilege: {exposure.score():.0f} of 100, over {some(len(exposure.inner), 'zone')}"
    return "".join(f"{line.rstrip()}\n" for line in [*table, "", score])


def _offer(policy: Policy, files: Files, texts: Mapping[str, str], write: bool, color: str) -> None:
    """The edit with its proof, or the edit done; nothing is written that would not compile."""
    proof = prove(policy, files, texts)
    for line in proof.lines():
        say(f"# {line}\n")
    broken = "" if proof.errors or proof.same else _broken(files, texts)
    if broken:
        say(f"# the edited policy would not compile: {broken}\n")
    if not write:
        say("".join(difference(files, texts, colored(color, sys.stdout))))
    elif not (proof.errors or broken):
        write_texts(files, texts)
    sys.exit(1 if proof.errors or broken else 0)


def _broken(files: Files, texts: Mapping[str, str]) -> str:
    """An error, such as a broken promise, that the edit brings with it: the message and the text meant."""
    before, after = _errors(files), _errors(reread(files, texts))
    more = Counter(message for message, _ in after) - Counter(message for message, _ in before)
    found = [each for each in after if each[0] in more]
    new = [each for each in found if each not in before] or found  # names in a known one may have changed
    return f"{new[0][0]}: `{printable(new[0][1])}`" if new else ""


def _errors(files: Files) -> list[tuple[str, str]]:
    texts = {source.path: source.text for source, _ in files}
    report = apply_acceptances(Report(compile.check(files).diagnostics, tuple(source for source, _ in files)))
    errors = (each for each in report.diagnostics if each.severity is Severity.ERROR)
    spans = ((each.message, each.primary.span) for each in errors if each.primary)
    return [(message, " ".join(texts[at.path][at.start : at.end].split())) for message, at in spans]


def difference(files: Files, texts: Mapping[str, str], color: bool) -> Iterator[str]:
    """A unified diff that `patch -p0` takes."""
    for source, _ in files:
        if source.path in texts:
            before, after = source.text.splitlines(), texts[source.path].splitlines()
            for line in difflib.unified_diff(before, after, source.path, source.path, lineterm=""):
                shown = printable(line)
                yield f"{STYLES[line[0]]}{shown}\x1b[0m\n" if color and line[:1] in STYLES else f"{shown}\n"


def write_texts(files: Files, texts: Mapping[str, str], tell: Callable[[str], None] = say) -> None:
    """Each file whole or not at all. ClickException if one cannot be written."""
    for source, _ in files:
        if source.path in texts:
            try:
                replace_file(source.path, source.text, texts[source.path])
            except OSError as error:
                reason = system_reason(error)
                raise click.ClickException(
                    f"`{printable(source.path)}` cannot be written: {reason}"
                ) from None
            tell(f"changed {printable(source.path)}\n")
