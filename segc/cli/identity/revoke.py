"""`segc identity revoke`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from segc.apply.state import State
from segc.cli.asking_agent import asked, socket_option
from segc.cli.identity.policy import Drawn, answers, beside, chosen, drawn, drawn_of, force_option, lock_of
from segc.cli.identity.sync import DOUBTED, doubted
from segc.cli.standing import on_host, standing
from segc.cli.terminal import complain, say
from segc.diagnostics.measure import printable
from segc.identity.merge import gone, lessened
from segc.identity.names import readable
from segc.identity.settings import FILE, Settings
from segc.identity.snapshot import Directory, Snapshot
from segc.space.words import system_reason

SETTINGS = Path("/etc/segc") / FILE
SENT = "revoked.json"  # in the state directory: whom the agent was told of
BATCH = 500  # people of one request

Lost = Mapping[str, tuple[str, ...]]  # the groups of a policy by user; none: gone altogether


@click.command("revoke")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--policy", "-p", "path", metavar="PATH", help="The policy.  [default: the one in force here]")
@click.option(
    "--settings",
    "settings_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"Where the directories are.  [default: {SETTINGS}, with --policy `{FILE}` beside it]",
)
@force_option
@click.option("--dry-run", is_flag=True, help="Tell who would lose what, and revoke nothing.")
@socket_option
@on_host
def command(
    sources: tuple[str, ...],
    path: str | None,
    settings_path: Path | None,
    force: bool,
    dry_run: bool,
    socket_path: Path | None,
    netns: str,
    state_dir: str,
) -> None:
    """Ask directories who has left, and end at once what they may no longer do.

    Who is gone from a group, or from all directories, loses the access of that group, or all of it, without
    waiting for a review; who came has to wait for `segc identity sync`, a plan and an apply. What a directory
    that does not answer would say is left open: sessions there last as long as the policy lets them.
    """
    with standing(netns, state_dir) as state:
        current = None if path else state.at("current")
        if not path and current is None:
            raise click.ClickException(f"no policy is in force in `{state_dir}`: name one with `--policy`")
        policy = drawn(path) if path else drawn_of(current.sources() if current else {})
        if path and policy.damaged:
            raise click.ClickException(f"`{lock_of(path)}` is damaged: nobody knows who was there before")
        beside_it = beside(path, FILE) if path else SETTINGS
        settings = chosen(settings_path or beside_it, sources)
        read, exit_code = _believed(policy, settings, force)
        lost = losses_of(policy, read)
        say("".join(printable(line) + "\n" for line in _told(lost, whole=not exit_code)))
        if not dry_run:
            _send(lost, socket_path, netns, state, whole=not exit_code and not sources)
    raise click.exceptions.Exit(exit_code)


def _believed(policy: Drawn, settings: Sequence[Settings], force: bool) -> tuple[dict[str, Directory], int]:
    """What directories say now, of those that answered and can be believed; and how that ends the command."""
    former, exit_code = policy.snapshot or Snapshot(), 0
    read = {}
    for name, answer in answers(settings, policy, former).items():
        if not isinstance(answer, Directory):
            complain(f"Error: {printable(str(answer))}\n")
            exit_code = exit_code or 1
            continue
        doubts = list(doubted(former, [answer], settings, policy.wanted))
        if doubts and not force:
            complain("".join(f"{printable(each)}\n" for each in doubts))
            complain(f"Nothing of `{name}` was revoked. If that is so, `--force` does it.\n")
            exit_code = DOUBTED
            continue
        read[name] = answer
    return read, exit_code


def losses_of(policy: Drawn, read: Mapping[str, Directory]) -> Lost:
    """Who loses which groups of the policy, by what directories say now."""
    former = policy.snapshot or Snapshot()
    now = lessened(former, read)
    left = gone(former, now)
    groups = policy.after(now).policy.groups
    found: dict[str, list[str]] = defaultdict(list)
    for name, group in sorted(policy.policy.groups.items()):
        for user in group.users - groups[name].users - left:
            found[user].append(name)
    return {
        **{user: tuple(names) for user, names in sorted(found.items())},
        **dict.fromkeys(sorted(left), ()),
    }


def _told(lost: Lost, whole: bool) -> Iterator[str]:
    """That nobody has left is known only where the `whole` of what was asked answered."""
    for user, groups in lost.items():
        yield f"{user}  {'left ' + ', '.join(groups) if groups else 'is gone'}"
    if not lost and whole:
        yield "nobody has left"


def _send(lost: Lost, socket: Path | None, netns: str, state: State, whole: bool) -> None:
    """Tell the agent, and take back what it was told of people who have lost nothing any more.

    The latter only where the `whole` of the directories was asked and answered. Who got back a part of it
    waits for the next snapshot: there is no moment at which anybody has more than he should.
    """
    told = state.read(SENT)
    back = sorted(told.keys() - lost.keys()) if whole else []
    for some in _batches(back):
        asked(socket, netns, {"do": "admit", "users": some})
    for groups, users in _alike(lost):
        for some in _batches(users):
            more = {"groups": list(groups)} if groups else {}
            asked(socket, netns, {"do": "revoke", "users": some, **more})
    content = {user: told[user] for user in told if user not in back} | {u: [*g] for u, g in lost.items()}
    if content != told:
        _remember(state, content)


def _remember(state: State, content: dict[str, Any]) -> None:
    try:
        state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        state.write(SENT, content)
    except OSError as error:
        reason = system_reason(error)
        raise click.ClickException(f"`{state.root}` cannot be written: {reason}") from None


def _batches(users: Sequence[str]) -> Iterator[list[str]]:
    for number in range(0, len(users), BATCH):
        yield list(users[number : number + BATCH])


def _alike(lost: Lost) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    for groups in sorted(set(lost.values())):
        yield groups, [user for user, each in lost.items() if each == groups and readable(user)]
