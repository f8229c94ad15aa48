"""The targets. A new one is a folder with an `emit` and a line in `BACKENDS`."""

from segc.backends import nftables
from segc.backends.artifact import Artifact, Backend, Output, Target

BACKENDS: tuple[Backend, ...] = (nftables.emit,)

__all__ = ["BACKENDS", "Artifact", "Backend", "Output", "Target"]
