"""segc: a microsegmentation compiler for Linux networks."""

__version__ = "0.1.0"
