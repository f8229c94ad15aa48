"""Services of random flows, and packets that tell them apart: one of each kind that no service divides."""

from __future__ import annotations

PACKETS = {  # protocol, and port or ICMP type
    "p": (6, 1), "q": (6, 2), "u": (17, 3), "v": (17, 4), "i": (1, 8), "6": (58, 128), "o": (47, 0),
}  # fmt: skip
ATOMS = "".join(PACKETS)
EXISTS = {4: "pquvio", 6: "pquv6o"}
SERVICES = {
    "tcp/1": "p", "tcp/2": "q", "tcp/1-2": "pq", "tcp/1, udp/3": "pu", "udp": "uv", "any": ATOMS,
    "icmp/echo-request": "i", "icmpv6/echo-request": "6", "tcp/2, icmp/echo-request": "qi",
}  # fmt: skip
