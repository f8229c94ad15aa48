"""What the commands about directories share: the policy, its snapshot, and what it asks directories for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from segc import workspace
from segc.cli.findings import show
from segc.diagnostics.model import Report, Severity
from segc.frozen import frozen
from segc.identity.ask import Answer, ask
from segc.identity.directories import KINDS
from segc.identity.errors import DirectoryError
from segc.identity.listing import Wanted
from segc.identity.names import person
from segc.identity.settings import Settings, read_settings
from segc.identity.snapshot import FILE, Snapshot
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.policy.sources import TIMEOUT
from segc.syntax import tree
from segc.syntax.store import AnyFile
from segc.workspace import Workspace
from segc.workspace.paths import is_folder

policy_option = click.option(
    "--policy",
    "-p",
    "path",
    metavar="PATH",
    default=".",
    help="The policy: a folder or a file.  [default: .]",
)
force_option = click.option("--force", is_flag=True, help="Believe it where a group lost most of its people.")


@frozen
class Drawn:
    """A policy that draws on directories. `snapshot` is None where there is none, or a damaged one."""

    policy: Policy
    files: tuple[AnyFile, ...]
    snapshot: Snapshot | None
    damaged: bool = False

    @property
    def wanted(self) -> Wanted:
        return Wanted(frozenset(_groups(self.files)), frozenset(_users(self.files)))

    def after(self, snapshot: Snapshot) -> Drawn:
        """The policy with another snapshot."""
        rest = [file for file in self.files if not any(isinstance(each, Snapshot) for each in file.rest)]
        files = (*rest, tree.File((snapshot,)))
        return Drawn(resolve(files)[0], files, snapshot)

    @property
    def timeouts(self) -> Mapping[str, float]:
        return {name: float(each.timeout) for name, each in self.policy.directories.items()}


def drawn(path: str, color: str = "auto") -> Drawn:
    """A policy as it lies there. Syntax errors end the command; what names mean may be wrong still."""
    found = workspace.load([path])
    errors = [each for each in found.diagnostics if each.severity is Severity.ERROR]
    elsewhere = [each for each in errors if each.code != "SEG112"]
    if elsewhere:
        show(Report(tuple(elsewhere), found.sources).sorted(), color)
        raise click.exceptions.Exit(1)
    return _drawn(found, damaged=bool(errors))


def drawn_of(texts: Mapping[str, str]) -> Drawn:
    """The policy of a generation."""
    return _drawn(workspace.of_texts(texts))


def _drawn(found: Workspace, damaged: bool = False) -> Drawn:
    files = tuple(file for _, file in found.files)
    policy, _ = resolve(files)
    snapshots = (each for file in files for each in file.rest if isinstance(each, Snapshot))
    return Drawn(policy, files, next(snapshots, None), damaged)


def _groups(files: Sequence[AnyFile]) -> Iterator[str]:
    for statement in (each for file in files for each in file.rest):
        if isinstance(statement, tree.GroupDef) and statement.directory:
            yield statement.directory.text


def _users(files: Sequence[AnyFile]) -> Iterator[str]:
    for file in files:
        for statement in file.rest:
            if isinstance(statement, tree.GroupDef):
                yield from (person(word.text) for word in statement.users)
            elif isinstance(statement, tree.ZoneDef):
                taken_in = (given.names for given in statement.dot1x if given.kind == "user")
                yield from (person(word.text) for names in taken_in for word in names)
        for flow in file.flows:
            ends = (flow.source, flow.destination)
            terms = (term for end in ends for term in (*end.terms, *end.excepted))
            yield from (person(term.name.text) for term in terms if isinstance(term, tree.UserTerm))


def beside(path: str, name: str) -> Path:
    """A file in the folder of a policy."""
    return (Path(path) if is_folder(path) else Path(path).parent) / name


def lock_of(path: str) -> Path:
    return beside(path, FILE)


def chosen(path: Path, sources: Sequence[str]) -> tuple[Settings, ...]:
    """The directories of a settings file, all or those named."""
    try:
        settings = read_settings(path, KINDS)
    except DirectoryError as error:
        raise click.ClickException(str(error)) from None
    known = {each.name: each for each in settings}
    for name in sources:
        if name not in known:
            raise click.UsageError(f"`{path}` has no directory `{name}`: it names {', '.join(known)}")
    return tuple(known[name] for name in sorted(set(sources))) if sources else settings


def answers(settings: Sequence[Settings], policy: Drawn, former: Snapshot | None = None) -> dict[str, Answer]:
    """What directories say of what the policy draws on; with a `former` snapshot, of whom and what that has:
    whether they still list these people, and of groups that share a name those that it knows."""
    wanted = policy.wanted
    if former is not None:
        known = frozenset((each.name, group.id) for each in former.directories for group in each.groups)
        wanted = replace(wanted, users=wanted.users | former.users, known=known)
    return ask(settings, wanted, policy.timeouts, TIMEOUT)
