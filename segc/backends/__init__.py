"""The targets. A new one is a folder with an `emit` and a line in `BACKENDS`; one that cannot express every
policy has `limits` and a line in `LIMITS` too.
"""

from segc.backends import freeradius, linux, netplan, networkd, nftables, switch
from segc.backends.artifact import Artifact, Backend, Limits, Output, Target

BACKENDS: tuple[Backend, ...] = (
    nftables.emit,
    linux.emit,
    networkd.emit,
    netplan.emit,
    switch.emit,
    freeradius.emit,
)

LIMITS: tuple[Limits, ...] = (
    nftables.limits,
    linux.limits,
    netplan.limits,
    switch.limits,
    freeradius.limits,
)

__all__ = ["BACKENDS", "LIMITS", "Artifact", "Backend", "Limits", "Output", "Target"]
