"""Ends and terms as one would write them."""

from __future__ import annotations

from segc.syntax import tree


def end_text(node: tree.End) -> str:
    """The end as one would write it, terms sorted: equal sets of terms read the same."""
    text = ", ".join(sorted(map(term_text, node.terms)))
    return text + (f" except {', '.join(sorted(map(term_text, node.excepted)))}" if node.excepted else "")


def term_text(term: tree.Term) -> str:
    match term:
        case tree.NameTerm(name, host):
            return f"{name.text}.{host.text}" if host else name.text
        case tree.AnyTerm():
            return "any"
        case tree.TagTerm(name):
            return f"tag {name.text}"
        case tree.AddressTerm(text):
            return text
        case tree.GroupTerm(name, zones):
            return f"group {name.text}{where(zones)}"
        case tree.UserTerm(name, zones):
            return f'user "{name.text}"{where(zones)}'
        case tree.GatewayTerm(name):
            return f"gateway {name.text}"


def where(zones: tuple[tree.Word, ...]) -> str:
    """` in vpn`, with a blank before it; nothing for no zones."""
    names = sorted(zone.text for zone in zones)
    return "" if not names else f" in {names[0]}" if len(names) == 1 else f" in ({', '.join(names)})"
