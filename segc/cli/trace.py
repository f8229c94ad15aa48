"""`segc trace`."""

from __future__ import annotations

import os
import sys

import click

from segc.cli import asked, options
from segc.cli.answer import Question, answers, as_json, as_text
from segc.cli.findings import show
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import colored, emit, say
from segc.policy.claims import Situation


@click.command("trace")
@click.argument("words", nargs=-1, required=True, metavar="[PATH] SRC DST SERVICE")
@click.option("--user", metavar="NAME", help="Who is bound to the source by a session.")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="A group that the user is in; repeatable."
)
@click.option("--mfa", is_flag=True, help="The session was opened with a second factor.")
@click.option(
    "--posture", "postures", multiple=True, metavar="NAME", help="A posture that the device has; repeatable."
)
@click.option("--dst-user", metavar="NAME", help="Who is bound to the destination.")
@click.option(
    "--dst-group", "dst_groups", multiple=True, metavar="NAME", help="A group of the destination's user."
)
@click.option(
    "--at", metavar='"DATE TIME"', help="When, in the policy's time zone: 2026-11-24 09:30. Default: now."
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@options.color
def command(
    words: tuple[str, ...],
    user: str | None,
    groups: tuple[str, ...],
    mfa: bool,
    postures: tuple[str, ...],
    dst_user: str | None,
    dst_groups: tuple[str, ...],
    at: str | None,
    format_: str,
    color: str,
) -> None:
    """Tell what becomes of one packet, and which statements decide it.

    SRC and DST are an address, `zone.host`, `zone` or `gateway NAME`; SERVICE is a name of the
    policy, or `tcp/443`. The exit code is 0 whether the packet is allowed or denied.
    """
    path, source_word, destination_word, service_word = _packet(words)
    with progress() as tell:
        reading = read([path], tell, checks=False)
    if reading.policy is None or reading.report.errors:
        show(reading.report, color)
        sys.exit(1)
    policy = reading.policy
    source, destination = asked.ends(policy, source_word, destination_word)
    family = asked.family_of(source, destination)
    situation = Situation(
        asked.session(policy, user, groups, mfa, postures),
        asked.session(policy, dst_user, dst_groups),
        asked.moment(policy, at),
    )
    question = Question(
        policy,
        source,
        destination,
        family,
        service_word,
        asked.service(policy, service_word, family),
        situation,
    )
    found = answers(question)
    sources = {each.path: each for each in reading.workspace.sources}
    if format_ == "json":
        emit(as_json(question, found, sources))
    else:
        say(as_text(question, found, sources, colored(color, sys.stdout)))


def _packet(words: tuple[str, ...]) -> tuple[str, str, str, str]:
    """PATH, by default the folder that we are in, SRC, DST and SERVICE; `gateway NAME` may be two words."""
    found: list[str] = []
    for word in words:
        if found and found[-1] == "gateway":
            found[-1] = f"gateway {word}"
        else:
            found.append(word)
    if len(found) == 3 and not os.path.lexists(found[0]):
        found.insert(0, ".")
    if len(found) != 4:
        raise click.UsageError(
            "name the policy, then a packet's source, destination and service: `segc trace . hr lab https`"
        )
    path, source, destination, service = found
    return path, source, destination, service
