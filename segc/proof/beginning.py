"""Connections that sessions let in must be seen to begin: TCP that is joined in mid-stream is kept from them.

When an address changes hands, the former person's connections are forgotten; their next packets would open
them again for the new one. So a chain returns such packets before it asks for sessions. To all else in the
proof, a packet is the first of its connection, and those rules are not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from segc.proof.model import Effect, Match, Rule, UnreadableError, Verdict

MIDSTREAM = "tcp midstream"


def beginning(rules: Sequence[Rule], sessions: Collection[str]) -> Iterator[Rule]:
    """The rules of a chain without those that return packets in mid-stream. `sessions` are the fields that
    session sets are asked for. UnreadableError where such a packet does not come to a rule that needs no
    session, or comes to one that lets in by session."""
    kept: list[frozenset[Match]] = []
    for rule in rules:
        matches = frozenset(item for item in rule.items if isinstance(item, Match))
        midstream = {each for each in matches if each.field.name == MIDSTREAM}
        if midstream:
            if rule.items[-1] != Verdict("return") or len(rule.items) != len(matches) + 1:
                raise UnreadableError("this rule is not understood", rule.line)
            kept.append(matches - midstream)
            continue
        opens = any(isinstance(item, Effect) and item.kind == "label" for item in rule.items)
        asks = any(each.field.name in sessions and each.named and not each.negated for each in matches)
        if kept and not (opens and asks) and any(isinstance(item, Verdict) for item in rule.items):
            raise UnreadableError("connections in mid-stream do not come to this rule", rule.line)
        if opens and asks and not any(each <= matches for each in kept):
            raise UnreadableError("this lets in connections in mid-stream that others have begun", rule.line)
        yield rule
