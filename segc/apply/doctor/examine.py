"""What a host has and lacks for what segc does to it. Only read, but for trials in empty namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from segc.apply.doctor import features, kernel, network, others, services, standing
from segc.apply.doctor.model import Finding, Host

CHECKS = (
    *kernel.CHECKS,
    *features.CHECKS,
    *network.CHECKS,
    *others.CHECKS,
    *services.CHECKS,
    *standing.CHECKS,
)


def examine(host: Host) -> Iterator[Finding]:
    """All that there is to tell, in the network namespace that we are in."""
    for check in CHECKS:
        yield from check(host)
