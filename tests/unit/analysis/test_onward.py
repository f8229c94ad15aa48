"""Ports that are published at another gateway than the one in front of their target."""

from __future__ import annotations

import pytest

from segc.analysis.onward import check_onward
from tests.unit.backends.helpers import NAMES, policy, sample

ZONES = """
zone shop { subnet 10.1.0.0/24 }
zone link { subnet 10.4.0.0/24 }
zone head { subnet 10.5.0.0/24  host web = 10.5.0.11 }
zone internet { external }
"""
OUTSIDE = "interface wan0 { zone internet  address 203.0.113.3/24 }"
PUBLISH = "publish tcp/443 on wan0 -> head.web"


def found(east: str, west: str) -> list[str]:
    gateways = f"""
    gateway east {{ {OUTSIDE.replace(".3/", ".2/")}
                   interface lan0 {{ zone shop }}  interface wg0 {{ zone link }}
                   address shop 10.1.0.1/24  {east} }}
    gateway west {{ interface lan0 {{ zone head }}  interface wg0 {{ zone link }}
                   address head 10.5.0.1/24  {west} }}
    """
    told = list(check_onward(policy(ZONES + gateways)))
    assert all(each.code == "SEG228" for each in told)
    return [each.message for each in told]


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_publish_where_they_should(name: str) -> None:
    assert list(check_onward(sample(name))) == []


def test_a_port_that_is_published_at_the_wrong_gateway() -> None:
    assert found(PUBLISH, OUTSIDE) == ["gateway `west` takes callers of what is published here for spoofed"]
    assert found("", f"{OUTSIDE} {PUBLISH}") == []
    assert found(PUBLISH, "") == []
