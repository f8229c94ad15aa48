"""The targets. A new one is a folder with an `emit` and a line in `BACKENDS`."""

from segc.backends import freeradius, linux, netplan, networkd, nftables, switch
from segc.backends.artifact import Artifact, Backend, Output, Target

BACKENDS: tuple[Backend, ...] = (
    nftables.emit,
    linux.emit,
    networkd.emit,
    netplan.emit,
    switch.emit,
    freeradius.emit,
)

__all__ = ["BACKENDS", "Artifact", "Backend", "Output", "Target"]
