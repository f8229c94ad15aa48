"""Names that are defined and never used: by no flow, promise, test or gateway, nor by a name that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from segc.cache import Memo
from segc.policy.model import Unused
from segc.policy.scope import Scope
from segc.syntax import tree
from segc.syntax.store import AnyFile

Names = set[tuple[str, str]]  # kind and name
ANYWHERE = "names"  # what a file uses hangs on no other


def unused_names(files: Sequence[AnyFile], scope: Scope, memo: Memo) -> tuple[Unused, ...]:
    """Sets, services, groups and postures that nothing needs, in the order of their names; linear."""
    defined: dict[str, Mapping[str, tree.SetDef | tree.ServiceDef | tree.GroupDef | tree.PostureDef]] = {
        "set": scope.sets,
        "service": scope.services,
        "group": scope.groups,
        "posture": scope.postures,
    }
    if not any(defined.values()):
        return ()
    waiting = list(set(chain.from_iterable(_used_in(file, memo) for file in files)))
    seen: Names = set()
    while waiting:
        kind, name = each = waiting.pop()
        if each not in seen and name in defined[kind]:
            seen.add(each)
            waiting += _within(defined[kind][name])
    return tuple(
        Unused(kind, name, node.name.span)
        for kind, nodes in defined.items()
        for name, node in nodes.items()
        if (kind, name) not in seen
    )


def _used_in(file: AnyFile, memo: Memo) -> Iterable[tuple[str, str]]:
    known: Iterable[tuple[str, str]] | None = memo.get(file.path, "names", ANYWHERE)
    if known is None:
        found: Names = set()
        for flow in file.flows:
            _relation(flow, found)
            found.update(("posture", each.posture.text) for each in flow.options.require if each.posture)
        for statement in file.rest:
            _statement(statement, found)
        known = tuple(sorted(found))
        memo.put(file.path, "names", ANYWHERE, known)
    return known


def _relation(node: tree.Flow | tree.Never | tree.Step | tree.Expectation, found: Names) -> None:
    _end(node.source, found)
    _end(node.destination, found)
    _services(node.services, found)


def _statement(statement: tree.Statement, found: Names) -> None:
    match statement:
        case tree.Never():
            _relation(statement, found)
        case tree.Workflow(steps=steps):
            for step in steps:
                _relation(step, found)
        case tree.Test(expectations=expectations):
            for each in expectations:
                _relation(each, found)
                found.update(("posture", fact.posture.text) for fact in each.facts if fact.posture)
        case tree.GatewayDef():
            _gateway(statement, found)
        case tree.ZoneDef(dot1x=admitted):
            found.update(
                ("group", word.text) for each in admitted if each.kind == "group" for word in each.names
            )
        case tree.SourceDef(settings=settings):
            words = (word for each in settings if each.key.text == "posture" for word in each.values)
            found.update(("posture", word.text) for word in words)
        case tree.Revoke(group=tree.Word(text=name)):
            found.add(("group", name))


def _gateway(node: tree.GatewayDef, found: Names) -> None:
    for serve in node.serves:
        _end(serve.to, found)
        _services(serve.services, found)
    for manage in node.manages:
        _end(manage.source, found)
        _services(manage.services, found)
    for publish in node.publishes:
        _term(publish.target, found)
        _services([each for each in (publish.service, publish.target_service) if each], found)


def _end(end: tree.End, found: Names) -> None:
    for term in end.terms:
        _term(term, found)
    for term in end.excepted:
        _term(term, found)


def _term(term: tree.Term, found: Names) -> None:
    if isinstance(term, tree.NameTerm):
        found.add(("set", term.name.text))
    elif isinstance(term, tree.GroupTerm):
        found.add(("group", term.name.text))


def _services(services: Iterable[tree.Service], found: Names) -> None:
    for each in services:
        if isinstance(each, tree.ServiceName):
            found.add(("service", each.name))


def _within(node: tree.SetDef | tree.ServiceDef | tree.GroupDef | tree.PostureDef) -> Names:
    """What a definition draws on."""
    found: Names = set()
    if isinstance(node, tree.SetDef):
        _end(node.end, found)
    elif isinstance(node, tree.ServiceDef):
        _services(node.services, found)
    elif isinstance(node, tree.GroupDef):
        found.update(("group", word.text) for word in node.groups)
    return found
