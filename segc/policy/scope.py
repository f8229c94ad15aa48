"""The names of a policy: collected from all files first, so that the order of statements means nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from segc.cache import Memo
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.diagnostics.suggest import Guesses
from segc.identity.names import person
from segc.identity.snapshot import Snapshot
from segc.source import Span
from segc.syntax import tree
from segc.syntax.store import AnyFile


class Named(Protocol):
    @property
    def name(self) -> tree.Word: ...
    @property
    def span(self) -> Span: ...


N = TypeVar("N", bound=Named)
S = TypeVar("S")


@dataclass
class Findings:
    """Where the passes of the resolver leave what they find."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _guesses: Guesses = field(default_factory=Guesses)

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        also: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str = "",
    ) -> None:
        self.diagnostics.append(finding(code, message, span, label, also=also, notes=notes, help=help))

    def unknown(
        self, what: str, word: tree.Word, known: Collection[str], help: str = "", message: str = ""
    ) -> None:
        """`SEG101`: nothing of this kind has that name; `help` is used where no known name is near."""
        message = message or f"there is no {what} `{word.text}`"
        near = self._guesses.near(message, word.text, known)
        self.add("SEG101", message, word.span, "not found", help=near or help)

    def person(self, word: tree.Word) -> str:
        """The user that a word names; `SEG104` where it names nobody."""
        if not word.text.strip():
            help = "write it as sources and directories do"
            self.add("SEG104", "the name of this user is blank", word.span, "nobody is called so", help=help)
        return person(word.text)

    def repeated(self, what: str, word: tree.Word, first: Span) -> None:
        self.add(
            "SEG105",
            f"{what} is given twice",
            word.span,
            "again here",
            also=(Label(first, "first given here"),),
            help="keep one of them",
        )


@dataclass(frozen=True)
class Scope:
    """Every statement but flows, by kind; those with a name by name, the first of a duplicate winning."""

    zones: Mapping[str, tree.ZoneDef]
    sets: Mapping[str, tree.SetDef]
    services: Mapping[str, tree.ServiceDef]
    groups: Mapping[str, tree.GroupDef]
    postures: Mapping[str, tree.PostureDef]
    gateways: Mapping[str, tree.GatewayDef]
    switches: Mapping[str, tree.SwitchDef]
    sources: Mapping[str, tree.SourceDef]
    directories: Mapping[str, tree.DirectoryDef]
    sessions: tuple[tree.SessionDef, ...]
    revocations: tuple[tree.Revoke, ...]
    snapshots: tuple[Snapshot, ...]
    timezones: tuple[tree.Timezone, ...]
    nevers: tuple[tree.Never, ...]
    workflows: tuple[tree.Workflow, ...]
    tests: tuple[tree.Test, ...]


_ABOUT_FLOWS = (
    *(tree.Import, tree.Never, tree.Workflow, tree.Test),
    *(tree.SourceDef, tree.DirectoryDef, tree.Revoke),
)


def context(files: Sequence[AnyFile], memo: Memo) -> str:
    """A name for all statements on which the meaning of flows in other files may hang."""
    return memo.digest(file.path for file in files if any(map(_defines, file.rest)))


def _defines(statement: tree.Statement) -> bool:
    return not isinstance(statement, _ABOUT_FLOWS)


def collect(files: Sequence[AnyFile], findings: Findings) -> Scope:
    """All but the flows, which nothing else refers to."""
    by_kind: dict[type, list[tree.Statement]] = {}
    for file in files:
        for statement in file.rest:
            by_kind.setdefault(type(statement), []).append(statement)

    def all_of(kind: type[S]) -> list[S]:
        return by_kind.get(kind, [])  # type: ignore[return-value]

    spaces: list[tree.ZoneDef | tree.SetDef] = [*all_of(tree.ZoneDef), *all_of(tree.SetDef)]
    unique = _by_name("zone or set", spaces, findings)
    return Scope(
        zones={name: node for name, node in unique.items() if isinstance(node, tree.ZoneDef)},
        sets={name: node for name, node in unique.items() if isinstance(node, tree.SetDef)},
        services=_by_name("service", all_of(tree.ServiceDef), findings),
        groups=_by_name("group", all_of(tree.GroupDef), findings),
        postures=_by_name("posture", all_of(tree.PostureDef), findings),
        gateways=_by_name("gateway", all_of(tree.GatewayDef), findings),
        switches=_by_name("switch", all_of(tree.SwitchDef), findings),
        sources=_by_name("source", all_of(tree.SourceDef), findings),
        directories=_by_name("directory", all_of(tree.DirectoryDef), findings),
        sessions=tuple(all_of(tree.SessionDef)),
        revocations=tuple(all_of(tree.Revoke)),
        snapshots=tuple(all_of(Snapshot)),
        timezones=tuple(all_of(tree.Timezone)),
        nevers=tuple(all_of(tree.Never)),
        workflows=tuple(all_of(tree.Workflow)),
        tests=tuple(all_of(tree.Test)),
    )


def _by_name(what: str, nodes: Iterable[N], findings: Findings) -> dict[str, N]:
    found: dict[str, N] = {}
    for node in nodes:
        first = found.setdefault(node.name.text, node)
        if first is not node:
            findings.add(
                "SEG102",
                f"the {what} `{node.name.text}` is defined twice",
                node.name.span,
                "defined again here",
                also=(Label(first.name.span, "first defined here"),),
                help="rename one of them, or merge the two",
            )
    return {name: found[name] for name in sorted(found)}
