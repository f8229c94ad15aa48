"""`manifest.json`: which files `segc compile` wrote for a node. The policy among them is a copy."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from typing import NamedTuple

from segc.document import DocumentError, read_json, shaped

FILE = "manifest.json"
POLICY = "policy/"  # the folder of a node's files that holds the policy's own texts


class _Manifest(NamedTuple):
    segc: str
    files: dict[str, str]


def listed(text: str) -> frozenset[str]:
    """The names of a node's files, the manifest's among them; none where the text is no manifest of segc."""
    found = digests(text)
    return frozenset() if found is None else frozenset((FILE, *found))


def digests(text: str) -> dict[str, str] | None:
    """The SHA-256 of each of a node's files, in hexadecimal, by name; None where the text is no manifest."""
    try:
        found = shaped(_Manifest, read_json(text))
    except DocumentError:
        return None
    return found.files if found.segc else None


def copies(paths: Iterable[str], read: Callable[[str], str]) -> frozenset[str]:
    """The policy's texts that were compiled: what the manifests among `paths` list of a node's own folder for
    them. What somebody put beside them was not.

    `read` gives the text of a file, `""` where it has none.
    """
    manifests = (path for path in paths if posixpath.basename(path) == FILE)
    return frozenset(
        f"{posixpath.dirname(path)}/{name}"
        for path in manifests
        for name in listed(read(path))
        if name.startswith(POLICY)
    )
