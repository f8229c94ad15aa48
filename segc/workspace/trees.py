"""The syntax tree of a text: from the cache, where it was parsed without an error before."""

from __future__ import annotations

import sys
from typing import Any

from segc import cache
from segc.diagnostics.model import Diagnostic
from segc.source import SourceFile
from segc.syntax import grammar, store
from segc.syntax.store import AnyFile, StoredFile
from segc.syntax.tree import File, Flow


def key_of(source: SourceFile) -> str:
    """What the cache knows this text by, as this program reads it."""
    return cache.key(cache.program(), grammar.fingerprint(), sys.version, source.path, source.text)


def tree_of(source: SourceFile, key: str) -> tuple[AnyFile, tuple[Diagnostic, ...]]:
    """The tree and the findings of the parser. `key` is that of this text."""
    return _stored(source, key) or _parse(source, key)


def _stored(source: SourceFile, key: str) -> tuple[AnyFile, tuple[Diagnostic, ...]] | None:
    rest = _statements("rest", key)
    if rest is None:
        return None

    def flows() -> tuple[Flow, ...]:
        found: tuple[Flow, ...] | None = _statements("flows", key)
        return _parse(source, key)[0].flows if found is None else found

    return StoredFile(source.path, rest, flows), ()


def _statements(kind: str, key: str) -> Any:
    data = cache.get(kind, key)
    try:
        return None if data is None else store.loads(data)
    except Exception:
        return None


def _parse(source: SourceFile, key: str) -> tuple[File, tuple[Diagnostic, ...]]:
    from segc.syntax.parse import parse  # loads Lark, which a cached policy does not need

    file, found = parse(source)
    if not found:
        cache.put("flows", key, store.dumps(file.flows))
        cache.put("rest", key, store.dumps(file.rest))
    return file, found
