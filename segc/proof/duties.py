"""What a flow does to a packet, and for which flow a ruleset does what it does."""

from __future__ import annotations

from segc.policy.model import Flow
from segc.proof.events import Event
from segc.proof.meaning import LABEL, LOOMING
from segc.proof.model import Effect
from segc.proof.who import Who

PREFIX = 120  # characters of a log prefix
STAGED_RATE = "10/second burst 20"
LABELLED = (Effect("label", LOOMING),), "continue"
RANKS = ("staged", "deny", "allow", "intra")


def counter(event: Event) -> str:
    """The one counter of an event, or nothing."""
    names = [effect.value for effect in event.effects if effect.kind == "counter"]
    return names[0] if len(names) == 1 else ""


def labels(event: Event) -> bool:
    """Whether it does nothing but to have a connection asked again, lest a deny comes to it."""
    return (event.effects, event.verdict) == LABELLED


def rank(event: Event, flows: dict[str, Flow]) -> str:
    if labels(event):
        return "deny"
    name = counter(event)
    if name:
        flow = flows.get(name)
        return "unknown" if flow is None else "staged" if flow.staged else flow.action
    accepts = event.verdict == "accept" and not event.effects
    return "intra" if accepts else "unknown"


def expected(flow: Flow, who: Who) -> tuple[tuple[Effect, ...], str]:
    """What a flow does to a packet, in order, and its verdict."""
    name = f"flow_{flow.id}"
    effects = [Effect("limit", name)] if flow.limit else []
    effects.append(Effect("counter", name))
    if flow.staged:
        prefix = _prefix(f"staged {flow.action}", flow)
        return (*effects, Effect("rate", STAGED_RATE), Effect("log", prefix)), "continue"
    if flow.log:
        effects.append(Effect("log", _prefix(flow.action, flow)))
    if flow.action == "deny":
        return tuple(effects), "refuse quietly" if flow.log else "refuse"
    if who or flow.conditions.timed:
        effects.append(Effect("label", LABEL))
    return tuple(effects), "accept"


def _prefix(what: str, flow: Flow) -> str:
    """nft knows no escapes in a string, so what it cannot hold is a `_`."""
    text = f"segc {what} {flow.id}"[:PREFIX] + " "
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in text)
