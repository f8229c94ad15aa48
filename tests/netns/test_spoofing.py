"""Sources that cannot be where they come from, on connections that stand already."""

from __future__ import annotations

import pytest

from tests.netns import wire
from tests.netns.site import Site
from tests.netns.test_language_state import begin

pytestmark = pytest.mark.kernel
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def arrives(site: Site, entry: str, packet: bytes, out: str) -> bool:
    """Whether the forged bytes came out of an interface."""
    return any(
        each.interface == out and each.data.endswith(b"forged")
        for each in site.gateway.exchange(entry, packet)
    )


@FAMILIES
@pytest.mark.parametrize("device", ["lan0.3", "wan0"])
def test_nobody_answers_for_a_server_elsewhere(family: int, device: str) -> None:
    with Site("allow a -> b : udp/53") as site:
        assert site.talk("a.5", "b.5", family, "udp", 53).to_server()
        client, server = (wire.packed(site.address(name, family)) for name in ("a.5", "b.5"))
        answer = wire.udp(server, client, 53, 40000, b"forged")
        assert not arrives(site, device, answer, "lan0.1")
        assert arrives(site, "lan0.2", answer, "lan0.1")


@FAMILIES
def test_nobody_speaks_for_a_bound_client_elsewhere(family: int) -> None:
    with Site("allow group staff in a -> b : tcp/443 require mfa") as site:
        site.bind("a.5", "ana@x.example", mfa=True)
        talk = begin(site, "a.5", "b.5", family, "tcp")
        client, server = (wire.packed(site.address(name, family)) for name in ("a.5", "b.5"))
        numbers = talk._next[talk.client], talk._next[talk.server]
        spoken = wire.tcp(client, server, 40000, 443, *numbers, 24, b"forged")
        assert not arrives(site, "lan0.3", spoken, "lan0.2")
        assert arrives(site, "lan0.1", spoken, "lan0.2")
