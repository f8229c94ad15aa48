"""A directory that cannot be read."""

from __future__ import annotations


class DirectoryError(Exception):
    """One sentence for whoever asked, about a directory or what says where it is; it never holds a secret."""
