"""The names of protocols and ICMP types, by the IANA registries, RFC 792, RFC 4443 and RFC 4861.

Where a value has several names the first is the one we write.
"""

from __future__ import annotations

PORT_PROTOCOLS = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136}
PORT_NUMBERS = frozenset(PORT_PROTOCOLS.values())
ICMP_PROTOCOLS = {"icmp": 1, "icmpv6": 58}
BARE_PROTOCOLS = {
    "igmp": 2,
    "ipip": 4,  # what Linux calls so; the registry's own IPIP, 94, is another and unused
    "egp": 8,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "eigrp": 88,
    "ospf": 89,
    "etherip": 97,
    "pim": 103,
    "ipcomp": 108,
    "vrrp": 112,
    "carp": 112,
    "l2tp": 115,
    "hip": 139,
}
# Their bare names are words of the language, whatever a policy defines.
WHOLE_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "icmp", "icmpv6"})
PROTOCOLS = PORT_PROTOCOLS | ICMP_PROTOCOLS | BARE_PROTOCOLS

ICMP_TYPES = {
    "echo-reply": 0,
    "destination-unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "echo-request": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp": 13,
    "timestamp-reply": 14,
    "info-request": 15,
    "information-request": 15,
    "info-reply": 16,
    "information-reply": 16,
    "address-mask-request": 17,
    "address-mask-reply": 18,
    "traceroute": 30,
    "photuris": 40,
    "extended-echo-request": 42,
    "extended-echo-reply": 43,
}
ICMPV6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "multicast-listener-query": 130,
    "mld-listener-query": 130,
    "multicast-listener-report": 131,
    "mld-listener-report": 131,
    "multicast-listener-done": 132,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "router-solicitation": 133,
    "nd-router-solicit": 133,
    "router-advertisement": 134,
    "nd-router-advert": 134,
    "neighbor-solicitation": 135,
    "neighbour-solicitation": 135,
    "nd-neighbor-solicit": 135,
    "neighbor-advertisement": 136,
    "neighbour-advertisement": 136,
    "nd-neighbor-advert": 136,
    "redirect": 137,
    "nd-redirect": 137,
    "router-renumbering": 138,
    "node-information-query": 139,
    "node-information-response": 140,
    "inverse-neighbor-solicitation": 141,
    "ind-neighbor-solicit": 141,
    "inverse-neighbor-advertisement": 142,
    "ind-neighbor-advert": 142,
    "multicast-listener-report-v2": 143,
    "mld2-listener-report": 143,
    "home-agent-discovery-request": 144,
    "home-agent-discovery-reply": 145,
    "mobile-prefix-solicitation": 146,
    "mobile-prefix-advertisement": 147,
    "certification-path-solicitation": 148,
    "certification-path-advertisement": 149,
    "multicast-router-advertisement": 151,
    "multicast-router-solicitation": 152,
    "multicast-router-termination": 153,
    "rpl-control": 155,
    "duplicate-address-request": 157,
    "duplicate-address-confirmation": 158,
    "extended-echo-request": 160,
    "extended-echo-reply": 161,
}
TYPES = {ICMP_PROTOCOLS["icmp"]: ICMP_TYPES, ICMP_PROTOCOLS["icmpv6"]: ICMPV6_TYPES}
# Each address family has an ICMP of its own; every other protocol exists in both.
FAMILY_OF = {ICMP_PROTOCOLS["icmp"]: 4, ICMP_PROTOCOLS["icmpv6"]: 6}


def exists_in(family: int, protocol: int) -> bool:
    """Whether packets of an address family, 4 or 6, can be of this protocol."""
    return FAMILY_OF.get(protocol, family) == family


def _names(table: dict[str, int]) -> dict[int, str]:
    return {value: name for name, value in reversed(table.items())}


PROTOCOL_NAMES = _names(PROTOCOLS)
TYPE_NAMES = {protocol: _names(types) for protocol, types in TYPES.items()}
