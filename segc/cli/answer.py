"""What becomes of a packet, in words and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from segc.cli.asked import Place
from segc.cli.published import asked_as, elsewhere, onward, publishes, shifted
from segc.cli.reasons import clock, reasons, remedy
from segc.cli.records import statement
from segc.diagnostics.measure import printable
from segc.frozen import frozen
from segc.policy.claims import Claims, Situation
from segc.policy.model import Flow, Policy, Publish
from segc.policy.topology import position, sees
from segc.source import SourceFile, Span
from segc.space.addresses import Address
from segc.space.services import ServiceSet
from segc.trace import Decision, Location, Packet, locate, trace

GREEN, RED, BOLD, DIM, RESET = "\x1b[1;32m", "\x1b[1;31m", "\x1b[1m", "\x1b[1;34m", "\x1b[0m"
Sources = Mapping[str, SourceFile]


@frozen
class Question:
    policy: Policy
    source: Place
    destination: Place
    family: int
    word: str  # the service as it was asked for
    services: ServiceSet
    situation: Situation

    @property
    def ends(self) -> tuple[Address, Address]:
        return self.source.addresses[self.family], self.destination.addresses[self.family]

    @property
    def target(self) -> Location:
        """The place that was asked for, wherever what is published there goes on to."""
        return locate(self.policy, self.ends[1])

    def packet(self, services: ServiceSet) -> Packet:
        """One of those asked for."""
        return Packet(*self.ends, *services.first())


class Answer(NamedTuple):
    """A decision with all the services asked for that get it; where published, of what they become."""

    services: ServiceSet
    decision: Decision
    publish: Publish | None


def answers(question: Question) -> list[Answer]:
    """One answer, or several where the services asked for are not decided alike. Exact: every value that
    some flow tells from its neighbour is traced."""
    published = publishes(question.policy, *question.ends)
    found: dict[tuple[Decision, Publish | None], ServiceSet] = {}
    for piece in _pieces(question.services, list(_distinct(question.policy, published))):
        packet = question.packet(piece)
        publish = next((p for p in published if p.outer.contains(packet.protocol, packet.value)), None)
        key = trace(question.policy, onward(publish, packet), question.situation), publish
        found[key] = found[key] | piece if key in found else piece
    return [Answer(services, *key) for key, services in found.items()]


def _distinct(policy: Policy, published: Sequence[Publish]) -> Iterator[ServiceSet]:
    services = dict.fromkeys(flow.services for flow in policy.flows)
    yield from services
    for publish in published:
        yield publish.outer
        yield from (asked_as(each, publish) for each in services)


def _pieces(services: ServiceSet, distinct: Sequence[ServiceSet]) -> Iterator[ServiceSet]:
    for protocol, values in services.parts:
        cuts = sorted(
            {cut for s in distinct for first, last in s.values(protocol) for cut in (first, last + 1)}
        )
        for first, last in values:
            starts = [first, *(cut for cut in cuts if first < cut <= last)]
            for start, after in zip(starts, [*starts[1:], last + 1], strict=True):
                yield ServiceSet(((protocol, ((start, after - 1),)),))


def as_text(question: Question, found: list[Answer], sources: Sources, color: bool) -> str:
    lines: list[str] = []
    if len(found) > 1:
        lines += [f"{_paint('mixed', BOLD, color)}: `{question.word}` is decided in {len(found)} ways", ""]
    for answer in found:
        lines += [*_told(question, answer, sources, color), ""]
    lines += _footer(question, found)
    return "\n".join(lines) + "\n"


def _told(question: Question, answer: Answer, sources: Sources, color: bool) -> Iterator[str]:
    decision = answer.decision
    allowed = decision.verdict == "allow"
    verdict = _paint("allowed" if allowed else "denied", GREEN if allowed else RED, color)
    yield f"{verdict}: {_end(decision.source)} -> {_end(question.target)} {answer.services}"
    if answer.publish:
        inner = shifted(answer.services, answer.publish)
        yield f"published: it goes on to {_end(decision.destination)} {inner}"
        yield from _quoted_span(answer.publish.span, sources, color)
    yield from _grounds(question, decision, sources, color)
    yield from (f"{_paint('help', BOLD, color)}: {help}" for help in _helps(question, answer))


def _grounds(question: Question, decision: Decision, sources: Sources, color: bool) -> Iterator[str]:
    """The statements that decide it, and those that would."""
    yield _because(decision)
    yield from _quoted(decision.statements, sources, color)
    yield from (f"    = only up to its limit of {rate}" for rate in _limits(decision))
    if decision.overruled:
        yield "a deny beats an allow, or else it would be allowed by"
        yield from _quoted(decision.overruled, sources, color)
    for flow in decision.unmet:
        yield "this one does not apply here"
        yield from _quoted((flow,), sources, color)
        whys = reasons(flow, decision, question.situation, question.policy)
        yield from (f"    = {why}" for why in whys)
    if decision.staged:
        yield "staged, so only counted and logged"
        yield from _quoted(decision.staged, sources, color)


def _helps(question: Question, answer: Answer) -> Iterator[str]:
    decision, packet = answer.decision, question.packet(answer.services)
    if decision.destination.gateway and question.destination.word.startswith("gateway "):
        yield from elsewhere(question.policy, decision.destination.gateway, packet)
    if decision.verdict == "deny":
        goes = onward(answer.publish, packet)
        if help := remedy(question.policy, goes, question.situation, decision.unmet):
            yield f"with `{help}` this would be allowed"


def _because(decision: Decision) -> str:
    if decision.reason == "flow":
        return "by this flow" if len(decision.statements) == 1 else "by any of these flows"
    if decision.reason == "deny":
        return "by this statement" if len(decision.statements) == 1 else "by each of these statements"
    if decision.zone is not None:
        return f"by default: hosts of one zone may talk, unless `{decision.zone.name}` says `intra deny`"
    return "by default: no flow allows it"


def _limits(decision: Decision) -> list[str]:
    """The rates of the flows that allow it, if not one of them is without."""
    limits = [flow.limit for flow in decision.statements]
    if decision.verdict != "allow" or None in limits:
        return []
    return [f"{limit.rate}/{limit.unit}" for limit in limits if limit is not None]


def _quoted(flows: Sequence[Flow], sources: Sources, color: bool) -> Iterator[str]:
    for flow in flows:
        yield from _quoted_span(flow.span, sources, color)


def _quoted_span(span: Span, sources: Sources, color: bool) -> Iterator[str]:
    yield f"  {_paint(printable(span.place), DIM, color)}"
    for line in textwrap.dedent(_indented(span, sources)).splitlines():
        yield f"    {printable(line.expandtabs(4).rstrip())}"


def _indented(span: Span, sources: Sources) -> str:
    """The statement's text with the white space before its first line."""
    text = sources[span.path].text
    start = text.rfind("\n", 0, span.start) + 1
    lead = text[start : span.start]
    return (lead if not lead.strip() else "") + text[span.start : span.end]


def _end(place: Location) -> str:
    return f"{place} ({place.address})"


def _footer(question: Question, found: list[Answer]) -> Iterator[str]:
    situation, policy = question.situation, question.policy
    for end in (question.source, question.destination):
        if end.chosen:
            yield f"for `{end.word}`, {end.addresses[question.family]} was taken"
    if situation.at is not None:
        yield f"at {clock(situation.at, policy.timezone)} {policy.timezone}, {_session(situation.source)}"
    yield _enforced(policy, found[0].decision)


def _session(claims: Claims) -> str:
    groups = [f"group {name}" for name in sorted(claims.groups)]
    who = ([f"user {claims.user}"] if claims.user else []) + groups
    facts = (["mfa"] if claims.mfa else []) + [f"posture {name}" for name in sorted(claims.postures)]
    return "source bound to " + ", ".join([*who, *facts]) if who or facts else "nobody bound to the source"


def _enforced(policy: Policy, decision: Decision) -> str:
    source, destination = decision.source, decision.destination
    own = [place.gateway for place in (source, destination) if place.gateway is not None]
    if own:
        met = all(_meets(policy, own[0], place) for place in (source, destination))
        nowhere = f"enforced by no gateway: no interface of `{own[0]}` leads there"
        return f"enforced by gateway {own[0]} itself" if met else nowhere
    if source.zone is None or destination.zone is None:
        return "enforced by no gateway: no zone claims the address"
    if source.zone == destination.zone:
        return "both ends are in one zone: its bridge and switch ports see the packet, a gateway may not"
    names = [
        name
        for name, gateway in policy.gateways.items()
        if position(policy, gateway).stands_between(source.zone, destination.zone)
    ]
    if not names:
        return f"enforced by no gateway: none stands between `{source.zone}` and `{destination.zone}`"
    return f"enforced by gateway{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _meets(policy: Policy, name: str, place: Location) -> bool:
    """Whether a gateway has a way to a place, which may be itself."""
    seen = position(policy, policy.gateways[name])
    if place.gateway is not None:
        return place.gateway == name or sees(policy, seen, place.gateway)
    return place.zone is None or place.zone in seen.devices


def as_json(question: Question, found: list[Answer], sources: Sources) -> str:
    """See `segc/schemas/trace.schema.json`; `parts` hold the answers where they differ."""
    parts = [_object(question, answer, sources) for answer in found]
    if len(parts) == 1:
        return json.dumps(parts[0], indent=2) + "\n"
    ends = {key: parts[0][key] for key in ("source", "destination", "at")}
    whole = {"verdict": _common(found), "reason": "mixed", "service": question.word, **ends, "parts": parts}
    return json.dumps(whole, indent=2) + "\n"


def _common(found: list[Answer]) -> str:
    verdicts = {answer.decision.verdict for answer in found}
    return verdicts.pop() if len(verdicts) == 1 else "mixed"


def _object(question: Question, answer: Answer, sources: Sources) -> dict[str, object]:
    decision = answer.decision
    return {
        "verdict": decision.verdict,
        "reason": decision.reason,
        "service": str(answer.services),
        "source": _location(decision.source),
        "destination": _location(question.target),
        "published": _published(answer),
        "at": question.situation.at,
        "statements": [statement(flow, sources) for flow in decision.statements],
        "overruled": [statement(flow, sources) for flow in decision.overruled],
        "unmet": [
            {
                **statement(flow, sources),
                "why": reasons(flow, decision, question.situation, question.policy),
            }
            for flow in decision.unmet
        ],
        "staged": [statement(flow, sources) for flow in decision.staged],
    }


def _published(answer: Answer) -> dict[str, object] | None:
    if answer.publish is None:
        return None
    inner = shifted(answer.services, answer.publish)
    return {"destination": _location(answer.decision.destination), "service": str(inner)}


def _location(place: Location) -> dict[str, str | None]:
    return {
        "address": str(place.address),
        "gateway": place.gateway,
        "zone": place.zone,
        "host": place.host,
    }


def _paint(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{RESET}" if color else text
