"""Chains that accept and count nothing, wherever they lead: whoever comes there is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from segc.proof.model import Effect, Lookup, Ruleset, Verdict
from segc.proof.walk import MAX_DEPTH


@dataclass(frozen=True)
class Harmless:
    rules: Ruleset
    _known: dict[str, bool] = field(default_factory=dict)

    def chain(self, name: str) -> bool:
        """Whether nothing that a chain leads to accepts or counts: then it refuses."""
        if name not in self._known:
            chain = self.rules.chains.get(name)
            items = [item for rule in chain.rules for item in rule.items] if chain else []
            self._known[name] = bool(items) and self._ends(name) and all(map(self._item, items))
        return self._known[name]

    def _ends(self, name: str, depth: int = 0) -> bool:
        """Whether the last rule of a chain decides without a condition, or goes to one that does."""
        chain = self.rules.chains.get(name)
        last = chain.rules[-1].items if chain and chain.rules else ()
        match last:
            case (Verdict("drop" | "reject"),):
                return True
            case (Verdict("goto", target),):
                return depth < MAX_DEPTH and self._ends(target, depth + 1)
        return False

    def _item(self, item: object, depth: int = 0) -> bool:
        if isinstance(item, Verdict):
            return item.kind in ("drop", "reject", "continue", "return") or (
                item.kind in ("jump", "goto") and self._leads_nowhere(item.target, depth)
            )
        if isinstance(item, Lookup):
            table = self.rules.tables.get(item.map)
            values = [each.value for each in table.elements] if table else [None]
            return not item.counts and all(isinstance(v, Verdict) and self._item(v, depth) for v in values)
        return not (isinstance(item, Effect) and item.kind in ("counter", "label"))

    def _leads_nowhere(self, name: str, depth: int) -> bool:
        chain = self.rules.chains.get(name)
        if chain is None or depth >= MAX_DEPTH:
            return False  # a loop is told by whoever follows it
        return all(self._item(item, depth + 1) for rule in chain.rules for item in rule.items)
