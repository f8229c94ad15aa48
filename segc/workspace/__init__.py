"""Reading a policy: its files, folders and imports, each real file once, every problem at once."""

from __future__ import annotations

import gc
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from segc.cache import Memo
from segc.diagnostics.model import Diagnostic
from segc.frozen import frozen
from segc.identity.snapshot import FILE as SNAPSHOT
from segc.source import SourceFile, Span
from segc.syntax.hidden import check_hidden
from segc.syntax.imports import cycles
from segc.syntax.store import AnyFile
from segc.syntax.tree import Import
from segc.workspace.content import content, decode, unread
from segc.workspace.folder import policy_files
from segc.workspace.paths import is_folder, shown
from segc.workspace.trees import key_of, tree_of


@frozen
class Workspace:
    """A policy as read, in the order of paths, so that the order of arguments and imports cannot matter.

    `sources` holds every file that could be decoded, those with errors too; `files` the tree of each.
    Where `diagnostics` holds an error, trees may lack statements: later stages would only repeat it.
    `memo` keeps what later stages work out for a file until its text changes.
    """

    sources: tuple[SourceFile, ...]
    files: tuple[tuple[SourceFile, AnyFile], ...]
    diagnostics: tuple[Diagnostic, ...]
    memo: Memo = field(compare=False)


def load(paths: Sequence[str]) -> Workspace:
    """Read files, folders (all `*.seg` below, but none that is hidden or was compiled) and what they import.
    Never raises.

    The snapshot of directories that lies beside a file, or in a folder, belongs to the policy as well.
    """
    reader = _Reader()
    with _collector_paused():
        for path in sorted(set(paths)):
            reader.open(path)
            reader.open_snapshot(path)
        while reader.pending:
            reader.read(*reader.pending.pop())
    return reader.workspace()


def of_texts(texts: Mapping[str, str]) -> Workspace:
    """A policy whose files are all at hand, by path: nothing is looked up, and imports are not followed."""
    reader = _Reader()
    with _collector_paused():
        for path, text in sorted(texts.items()):
            reader.keep(path, SourceFile(shown(path), text))
    return reader.workspace()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Trees hold no cycles, and looking for some among millions of nodes takes as long as parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(slots=True)
class _Reader:
    pending: list[tuple[str, Span | None]] = field(default_factory=list)
    loaded: dict[str, tuple[SourceFile, AnyFile]] = field(default_factory=dict)  # by real path
    keys: dict[str, str] = field(default_factory=dict)  # of texts read without an error, by path
    seen: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)  # what the user named, which may be a pipe
    imports: dict[str, list[tuple[str, Span]]] = field(default_factory=dict)  # real path -> real paths
    broken: list[SourceFile] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def workspace(self) -> Workspace:
        self.diagnostics += cycles(self.imports, {real: file[0].path for real, file in self.loaded.items()})
        files = sorted(self.loaded.values(), key=lambda file: file[0].path)
        sources = sorted([source for source, _ in files] + self.broken, key=lambda source: source.path)
        unique = sorted(dict.fromkeys(self.diagnostics), key=Diagnostic.sort_key)
        return Workspace(tuple(sources), tuple(files), tuple(unique), Memo(self.keys))

    def open(self, path: str) -> None:
        """Queue what the user named: a file, or the policy files of a folder."""
        if not path:
            help = "name the file or folder of the policy, such as `.`"
            self.diagnostics.append(unread("the path is empty", None, help))
        elif is_folder(path):
            found, wrong = policy_files(path)
            self.pending += [(file, None) for file in found]
            self.diagnostics += wrong
        else:
            self.named.add(path)
            self.pending.append((path, None))

    def open_snapshot(self, path: str) -> None:
        folder = path if is_folder(path) else posixpath.dirname(path)
        snapshot = posixpath.join(folder, SNAPSHOT)
        if os.path.lexists(snapshot):
            self.pending.append((snapshot, None))

    def read(self, path: str, importer: Span | None) -> None:
        real = os.path.realpath(path)
        if real in self.seen:
            return
        data = content(path, importer, path in self.named)
        if isinstance(data, Diagnostic):
            self.diagnostics.append(data)
            return
        self.seen.add(real)
        source, wrong = decode(shown(path), data)
        if wrong:
            self.broken.append(source)
            self.diagnostics.append(wrong)
            return
        for statement in self.keep(real, source).rest:
            if isinstance(statement, Import):
                self.follow(path, real, statement)

    def keep(self, real: str, source: SourceFile) -> AnyFile:
        key = key_of(source)
        file, found = tree_of(source, key)
        self.diagnostics += found
        if not found:
            self.keys[source.path] = "" if source.path in self.keys else key  # names may be alike as shown
        if posixpath.basename(source.path) != SNAPSHOT:
            self.diagnostics += check_hidden(source)
        self.loaded[real] = (source, file)
        return file

    def follow(self, path: str, real: str, statement: Import) -> None:
        written = posixpath.join(posixpath.dirname(path), statement.path.text)
        target, file = posixpath.normpath(written), os.path.realpath(written)
        if os.path.realpath(target) != file:
            target = written  # `..` behind a link leads up from where the link points to
        self.imports.setdefault(real, []).append((file, statement.path.span))
        self.pending.append((target, statement.path.span))
