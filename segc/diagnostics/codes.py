"""The registry of codes. A code is never reused; a retired one stays here, marked.

`SEG0xx` syntax, `1xx` names and types, `2xx` addresses, VLANs and topology, `3xx` conflict, shadow and
broken promise, `4xx` over-segmentation and least privilege, `5xx` a target cannot express, `6xx` apply.
Each has a page `segc/explain/<code>.md` with a failing example and its fix.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """A kind of finding: its name, and `error`, `warning` or `note`."""

    name: str
    severity: str


RULES: dict[str, Rule] = {
    "SEG001": Rule("syntax-error", "error"),
    "SEG002": Rule("unreadable-file", "error"),
    "SEG003": Rule("import-cycle", "error"),
    "SEG004": Rule("unmatched-acceptance", "warning"),
    "SEG005": Rule("malformed-acceptance", "error"),
    "SEG006": Rule("too-deep", "error"),
    "SEG007": Rule("misleading-character", "warning"),
    "SEG101": Rule("unknown-name", "error"),
    "SEG102": Rule("duplicate-name", "error"),
    "SEG103": Rule("circular-definition", "error"),
    "SEG104": Rule("malformed-value", "error"),
    "SEG105": Rule("repeated-item", "error"),
    "SEG106": Rule("requirement-without-identity", "error"),
    "SEG107": Rule("wrong-kind", "error"),
    "SEG108": Rule("empty-end", "error"),
    "SEG109": Rule("missing-item", "error"),
    "SEG110": Rule("members-not-known", "warning"),
    "SEG111": Rule("unknown-directory-group", "error"),
    "SEG112": Rule("damaged-snapshot", "error"),
    "SEG113": Rule("in-of-an-exception", "warning"),
    "SEG201": Rule("overlapping-zones", "error"),
    "SEG202": Rule("host-outside-zone", "error"),
    "SEG203": Rule("several-external-zones", "error"),
    "SEG204": Rule("vlan-shared", "error"),
    "SEG205": Rule("unclaimed-address", "warning"),
    "SEG206": Rule("mixed-families", "error"),
    "SEG207": Rule("vlan-not-carried", "warning"),
    "SEG208": Rule("zone-without-vlan", "error"),
    "SEG209": Rule("unreachable-zone", "warning"),
    "SEG210": Rule("interface-conflict", "error"),
    "SEG211": Rule("gateway-address-outside-zone", "error"),
    "SEG212": Rule("shared-host-address", "error"),
    "SEG213": Rule("no-enforcement-point", "warning"),
    "SEG214": Rule("zone-without-addresses", "warning"),
    "SEG215": Rule("gateway-without-address", "warning"),
    "SEG216": Rule("shared-gateway-address", "error"),
    "SEG217": Rule("no-host-address", "warning"),
    "SEG218": Rule("bad-publish", "error"),
    "SEG219": Rule("gateway-network-too-wide", "warning"),
    "SEG220": Rule("two-zones-by-radius", "error"),
    "SEG221": Rule("radius-without-effect", "warning"),
    "SEG222": Rule("missing-prefix-length", "warning"),
    "SEG223": Rule("address-on-one-interface", "warning"),
    "SEG224": Rule("gateway-network-too-narrow", "warning"),
    "SEG225": Rule("private-addresses-outside", "note"),
    "SEG226": Rule("vlan-of-another-site", "note"),
    "SEG227": Rule("masked-before-a-gateway", "warning"),
    "SEG301": Rule("dead-flow", "error"),
    "SEG302": Rule("never-matches", "error"),
    "SEG303": Rule("test-failed", "error"),
    "SEG304": Rule("promise-broken", "error"),
    "SEG305": Rule("workflow-blocked", "error"),
    "SEG306": Rule("partly-denied", "note"),
    "SEG307": Rule("redundant-flow", "warning"),
    "SEG308": Rule("bypassed-condition", "warning"),
    "SEG309": Rule("staged-preview", "note"),
    "SEG310": Rule("unseen-in-vlan", "warning"),
    "SEG311": Rule("dead-term", "warning"),
    "SEG312": Rule("partly-bypassed", "note"),
    "SEG313": Rule("unmet-requirement", "error"),
    "SEG314": Rule("weak-source", "warning"),
    "SEG315": Rule("revoked-too-late", "error"),
    "SEG316": Rule("session-bounds-nobody", "warning"),
    "SEG317": Rule("impossible-posture", "error"),
    "SEG318": Rule("expired-flow", "note"),
    "SEG319": Rule("empty-block", "warning"),
    "SEG320": Rule("shared-title", "warning"),
    "SEG321": Rule("evaded-denial", "warning"),
    "SEG322": Rule("session-bound-denial", "note"),
    "SEG323": Rule("withheld-proof", "warning"),
    "SEG401": Rule("equivalent-zones", "warning"),
    "SEG402": Rule("nearly-equivalent-zones", "note"),
    "SEG403": Rule("zone-for-one-host", "note"),
    "SEG404": Rule("too-many-zones", "warning"),
    "SEG405": Rule("long-workflow", "warning"),
    "SEG406": Rule("decorative-boundary", "warning"),
    "SEG407": Rule("unused-name", "note"),
    "SEG408": Rule("exceptions-outnumber-rules", "note"),
    "SEG409": Rule("person-in-too-many-zones", "note"),
    "SEG410": Rule("repeated-flows", "note"),
    "SEG411": Rule("broad-flow", "warning"),
    "SEG412": Rule("wide-blast-radius", "note"),
    "SEG501": Rule("name-too-long-for-target", "error"),
    "SEG502": Rule("mark-too-narrow", "error"),
    "SEG503": Rule("not-expressible", "error"),
    "SEG504": Rule("target-left-out", "note"),
    "SEG505": Rule("unproved-ruleset", "error"),
    "SEG601": Rule("lockout", "error"),
}
