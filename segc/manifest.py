"""`manifest.json`: which files `segc compile` wrote for a node. Beside one lies no policy but a copy."""

from __future__ import annotations

import json

FILE = "manifest.json"


def listed(text: str) -> frozenset[str]:
    """The names of a node's files, the manifest's among them; none where the text is no manifest of segc."""
    try:
        content = json.loads(text)
        return frozenset((FILE, *content["files"])) if content["segc"] else frozenset()
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()
