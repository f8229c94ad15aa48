"""`segc identity show`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from segc.cli.identity.policy import drawn, lock_of, policy_option
from segc.cli.terminal import emit, say
from segc.diagnostics.measure import printable
from segc.identity.names import person
from segc.identity.snapshot import Directory, Snapshot, snapshot_text


@click.command("show")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@policy_option
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def command(names: tuple[str, ...], path: str, format_: str) -> None:
    """Show what the snapshot says: every directory, or who is in a group, or the groups of a person."""
    policy = drawn(path)
    if policy.snapshot is None:
        problem = "is damaged" if policy.damaged else "is not there"
        need = "only groups `from directory` need it"
        raise click.ClickException(f"`{lock_of(path)}` {problem}: `segc identity sync` writes it, and {need}")
    if format_ == "json":
        emit(snapshot_text(policy.snapshot))
    elif not names:
        say("".join(map(_summary, policy.snapshot.directories)))
    for name in names if format_ == "text" else ():
        lines = list(_about(name, policy.snapshot))
        if not lines:
            raise click.ClickException(f"the snapshot has no group and nobody called `{printable(name)}`")
        say("".join(f"{printable(line)}\n" for line in lines))


def _summary(directory: Directory) -> str:
    lines = [f"{directory.name}  {directory.kind}  {directory.source}  {_counted(len(directory.users))}"]
    lines += [f"  {group.name}  {_counted(len(group.members))}" for group in directory.groups]
    return "".join(f"{printable(line)}\n" for line in lines)


def _about(name: str, snapshot: Snapshot) -> Iterator[str]:
    for group in snapshot.groups(name):
        yield f"{group.name}  {group.id}  {_counted(len(group.members))}"
        yield from (f"  {each}" for each in group.members)
    for directory in snapshot.directories:
        user = person(name)
        if user in directory.users:
            groups = [group.name for group in directory.groups if user in group.members]
            yield f"{user}  {directory.name}  {', '.join(groups) or 'in no group'}"


def _counted(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"
