"""Whoever vouches for sessions: one file a kind, and a line here.

Each translates what a server says into requests to the daemon, and has a loop that does so for ever.
"""

SOURCES = ("openvpn", "wireguard", "radius", "dhcp", "posture")
