"""`segc identity sync`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from segc.apply import durable
from segc.cli.identity.policy import answers, beside, chosen, drawn, force_option, lock_of, policy_option
from segc.cli.progress import progress
from segc.cli.terminal import complain, say
from segc.diagnostics.measure import printable
from segc.identity.guard import losses
from segc.identity.listing import Move, Wanted, moves, narrowed
from segc.identity.merge import merged
from segc.identity.settings import FILE, Settings
from segc.identity.snapshot import Directory, Snapshot, snapshot_text
from segc.space.words import system_reason

DOUBTED = 4
SHOWN = 6  # people of one group


@click.command("sync")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@policy_option
@force_option
@click.option("--dry-run", is_flag=True, help="Write nothing.")
def command(sources: tuple[str, ...], path: str, force: bool, dry_run: bool) -> None:
    """Ask directories who is in the groups that the policy draws on, and write the snapshot.

    SOURCE is a table of `identity.toml`; by default all of them are asked. Nothing is written unless every
    one of them answered in full. Exit code 4: a group lost so many people that it has to be confirmed.
    """
    policy = drawn(path)
    settings = chosen(beside(path, FILE), sources)
    if policy.damaged and not force:
        raise click.ClickException(
            f"`{lock_of(path)}` is damaged, so there is nothing to compare with: `--force` writes it anew"
        )
    with progress() as tell:
        tell(f"asking {', '.join(each.name for each in settings)}")
        found = answers(settings, policy)
    failed = [answer for answer in found.values() if not isinstance(answer, Directory)]
    if failed:
        complain("".join(f"Error: {printable(str(each))}\n" for each in failed))
        raise click.ClickException("nothing was written")
    read = [answer for answer in found.values() if isinstance(answer, Directory)]
    former = policy.snapshot or Snapshot()
    doubts = list(doubted(former, read, settings, policy.wanted))
    if doubts and not force:
        complain("".join(f"{printable(each)}\n" for each in doubts))
        complain("Nothing was written. If that is so, `--force` writes it.\n")
        raise click.exceptions.Exit(DOUBTED)
    keep = [each.name for each in former.directories] if sources else []
    now = merged(former, read, keep)
    changed = [move for each in read for move in moves(former.directory(each.name), each)]
    say("".join(map(told, changed)))
    say("".join(missing(policy.wanted, now)))
    _write(lock_of(path), snapshot_text(now), dry_run)


def doubted(
    former: Snapshot, read: Iterable[Directory], settings: Sequence[Settings], wanted: Wanted
) -> Iterator[str]:
    """What of a reading is not to be believed, given what was known of the same groups before."""
    tables = {each.name: each for each in settings}
    for each in read:
        if was := former.directory(each.name):
            table = tables[each.name]
            asked = Wanted(wanted.groups, wanted.users, table.groups)
            yield from losses(narrowed(was, asked), each, table.shrink)


def told(move: Move) -> str:
    """`corp sg-finance  +gus@acme.example  -fay@acme.example`."""
    signs = [f"{sign}{name}" for sign, names in (("+", move.came), ("-", move.gone)) for name in names]
    more = f"  and {len(signs) - SHOWN:,} more" if len(signs) > SHOWN else ""
    words = "  ".join(signs[:SHOWN]) + more
    return printable(f"{move.directory} {move.group or '(people)'}  {words or 'nobody'}") + "\n"


def missing(wanted: Wanted, now: Snapshot) -> Iterator[str]:
    for name in sorted(wanted.groups):
        if not now.groups(name):
            yield f"no directory has a group `{printable(name)}`, which the policy draws on\n"


def _write(path: Path, text: str, dry_run: bool) -> None:
    try:
        same = path.exists() and path.read_bytes() == text.encode()
        if not same and not dry_run:
            durable.write_file(path.resolve(), text)
    except OSError as error:
        reason = system_reason(error)
        raise click.ClickException(f"`{path}` cannot be written: {reason}; it is as it was") from None
    say(f"{path} {'is as it was' if same else 'would change' if dry_run else 'written'}\n")
