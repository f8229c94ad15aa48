"""The syntax tree: what was written, before any name means anything.

Frozen nodes. Spans stand outside equality and repr, so `parse(format(tree)) == tree` can be said.
Values that need checking (addresses, ports, dates, sizes) stay text here; `segc.policy.resolve` reads them.
"""

from __future__ import annotations

from segc.frozen import frozen
from segc.identity.snapshot import Snapshot
from segc.syntax.tree.ends import (
    AddressTerm,
    AnyTerm,
    End,
    GatewayTerm,
    GroupTerm,
    NameTerm,
    TagTerm,
    Term,
    UserTerm,
    Word,
)
from segc.syntax.tree.flows import Expectation, Flow, Never, Options, Requirement, Step, Test, When, Workflow
from segc.syntax.tree.inventory import (
    DirectoryDef,
    Dot1x,
    Fact,
    GroupDef,
    Host,
    Import,
    LimitsDef,
    PostureDef,
    Revoke,
    ServiceDef,
    SessionDef,
    SetDef,
    Setting,
    SourceDef,
    Timezone,
    ZoneDef,
)
from segc.syntax.tree.network import (
    GatewayAddress,
    GatewayDef,
    Interface,
    Manage,
    Port,
    Publish,
    Serve,
    SwitchDef,
)
from segc.syntax.tree.services import AnyService, Service, ServiceLiteral, ServiceName

__all__ = [
    "AddressTerm", "AnyService", "AnyTerm", "DirectoryDef", "Dot1x", "End", "Expectation", "Fact", "File",
    "Flow", "GatewayAddress", "GatewayDef", "GatewayTerm", "GroupDef", "GroupTerm", "Host", "Import",
    "Interface", "LimitsDef", "Manage", "NameTerm", "Never", "Options", "Port", "PostureDef", "Publish",
    "Requirement", "Revoke", "Serve", "Service", "ServiceDef", "ServiceLiteral", "ServiceName", "SessionDef",
    "SetDef", "Setting", "SourceDef", "Statement", "Step", "SwitchDef", "TagTerm", "Term", "Test", "Timezone",
    "UserTerm", "When", "Word", "Workflow", "ZoneDef",
]  # fmt: skip

Statement = (
    Import
    | ServiceDef
    | ZoneDef
    | SetDef
    | GroupDef
    | PostureDef
    | SessionDef
    | SourceDef
    | DirectoryDef
    | Revoke
    | LimitsDef
    | Snapshot
    | Timezone
    | Flow
    | Never
    | Workflow
    | Test
    | GatewayDef
    | SwitchDef
)


@frozen
class File:
    """The statements of one file in the order written."""

    statements: tuple[Statement, ...]

    @property
    def path(self) -> str:
        """The file that the statements stand in; nothing where there is none."""
        return self.statements[0].span.path if self.statements else ""

    @property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(each for each in self.statements if isinstance(each, Flow))

    @property
    def rest(self) -> tuple[Statement, ...]:
        """All but the flows, of which there may be many."""
        return tuple(each for each in self.statements if not isinstance(each, Flow))
