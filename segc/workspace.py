"""Reading a policy: its files, folders and imports, each real file once, every problem at once."""

from __future__ import annotations

import errno
import gc
import os
import posixpath
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segc import cache, manifest
from segc.cache import Memo
from segc.diagnostics.model import Diagnostic, finding
from segc.identity.snapshot import FILE as SNAPSHOT
from segc.source import SourceFile, Span
from segc.space.words import system_reason
from segc.syntax import grammar, store
from segc.syntax.hidden import check_hidden
from segc.syntax.imports import cycles
from segc.syntax.store import AnyFile, StoredFile
from segc.syntax.tree import File, Flow, Import

MAX_BYTES = 16 << 20  # of one file; reading takes some 6 s and 200 MB for each dense million
MAX_SNAPSHOT = 64 << 20  # as many lines as there are people, and groups with people in them


@dataclass(frozen=True, slots=True)
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


def is_folder(path: str) -> bool:
    """False as well where nobody may look, or where no file can have that name."""
    return os.path.isdir(path)  # noqa: PTH112 (of pathlib this raises PermissionError)


def _text(path: str) -> str:
    """Of a file that may be anybody's; `""` where it cannot be one of ours."""
    try:
        readable = Path(path).is_file() and Path(path).stat().st_size <= MAX_BYTES
        return Path(path).read_text("utf-8") if readable else ""
    except (OSError, ValueError):
        return ""


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

    def fail(self, message: str, span: Span | None, help: str = "") -> None:
        self.diagnostics.append(finding("SEG002", message, span, help=help))

    def open(self, path: str) -> None:
        """Queue what the user named: a file, or the policy files of a folder."""
        if not path:
            self.fail("the path is empty", None, "name the file or folder of the policy, such as `.`")
            return
        if not is_folder(path):
            self.named.add(path)
            self.pending.append((path, None))
            return
        below = sorted(self.walk(path))
        manifests = [os.path.realpath(each) for each in below if not each.endswith(".seg")]
        copies = manifest.copies(manifests, _text)
        found = [each for each in below if each.endswith(".seg") and os.path.realpath(each) not in copies]
        if not found:
            but = ", but for what `segc compile` wrote" if copies else ""
            self.fail(
                f"the folder `{shown(path)}` holds no policy: no file below it ends in `.seg`{but}",
                None,
                "name the folder that holds the policy, or write a first one with `segc init`",
            )
        self.pending += [(file, None) for file in found]

    def open_snapshot(self, path: str) -> None:
        folder = path if is_folder(path) else posixpath.dirname(path)
        snapshot = posixpath.join(folder, SNAPSHOT)
        if os.path.lexists(snapshot):
            self.pending.append((snapshot, None))

    def walk(self, top: str) -> Iterator[str]:
        """The `.seg` files below a folder, and the manifests below its folders, which tell what of these are
        copies; links are followed, no real folder is entered twice."""
        folders, entered = [top], set()
        while folders:
            folder = folders.pop()
            try:
                real = os.path.realpath(folder)
                if real in entered:
                    continue
                entered.add(real)
                names = sorted(entry.name for entry in Path(folder).iterdir())
            except OSError as error:
                self.fail(f"the folder `{shown(folder)}` cannot be read: {system_reason(error)}", None)
                continue
            for name in (name for name in names if not name.startswith(".")):
                path = posixpath.join(folder, name)
                if self.may_enter(path):
                    folders.append(path)
                elif name.endswith(".seg") or (name == manifest.FILE and folder != top):
                    yield path

    def may_enter(self, path: str) -> bool:
        """Whether it is a folder. Where nobody may look there could be one, which is told; of a file its
        reading tells."""
        try:
            return Path(path).is_dir()
        except OSError as error:
            if not path.endswith(".seg"):
                self.fail(
                    f"`{shown(path)}` cannot be read: {system_reason(error)}", None, _remedy(error, None)
                )
            return False

    def read(self, path: str, importer: Span | None) -> None:
        real = os.path.realpath(path)
        if real in self.seen:
            return
        data = self.bytes_of(path, importer)
        if data is None:
            return
        self.seen.add(real)
        source = self.decode(shown(path), data)
        if source is None:
            return
        for statement in self.keep(real, source).rest:
            if isinstance(statement, Import):
                self.follow(path, real, statement)

    def keep(self, real: str, source: SourceFile) -> AnyFile:
        key = cache.key(cache.program(), grammar.fingerprint(), sys.version, source.path, source.text)
        file, found = _stored(source, key) or _parse(source, key)
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

    def bytes_of(self, path: str, importer: Span | None) -> bytes | None:
        """The content of a file of bounded size, or None and a finding. What is piped in may be no file."""
        name = f"`{shown(path)}`"
        piped = not importer and path in self.named
        if importer and not path.endswith(".seg"):
            self.fail_by_name(f"{name} is no policy", importer)
            return None
        try:
            mode = Path(path).stat().st_mode
            if stat.S_ISDIR(mode):
                self.fail(
                    f"{name} is a folder, and `import` takes a file", importer, "import each of its files"
                )
                return None
            if not stat.S_ISREG(mode) and not (piped and stat.S_ISFIFO(mode)):
                self.fail(f"{name} is neither a file nor a folder", importer)
                return None
            if not self.may_be_shown(path):
                self.fail_by_name(f"{name} leads to a file that is no policy", importer)
                return None
            limit = limit_of(path)
            data = _content(path, limit, waiting=piped)
        except OSError as error:
            self.fail(f"{name} cannot be read: {system_reason(error)}", importer, _remedy(error, importer))
            return None
        if len(data) > limit:
            self.fail(
                f"{name} is larger than {limit >> 20} MiB",
                importer,
                "split the policy into several files",
            )
            return None
        return data

    def may_be_shown(self, path: str) -> bool:
        """Of what the user did not name no text is shown that is no policy, such as a key."""
        return path in self.named or path.endswith(SNAPSHOT) or os.path.realpath(path).endswith(".seg")

    def fail_by_name(self, message: str, importer: Span | None) -> None:
        self.fail(f"{message}: its name does not end in `.seg`", importer, "rename it, if it is one")

    def decode(self, name: str, data: bytes) -> SourceFile | None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.unreadable(name, data, error.start, *_encoding(data, error.start))
            return None
        nul = text.find("\0")
        if nul != -1:
            at = len(text[:nul].encode("utf-8"))
            self.unreadable(
                name, data, at, "holds a NUL byte", "a policy is plain text: is this the right file?"
            )
            return None
        return SourceFile(name, text)

    def unreadable(self, name: str, data: bytes, at: int, what: str, help: str) -> None:
        source = SourceFile(name, data.decode("utf-8", "replace"))
        start = len(data[:at].decode("utf-8", "replace"))
        span = source.span(start, start + 1)
        self.broken.append(source)
        self.fail(f"`{name}` {what} (byte {at}, line {span.line})", span, help)


def of_texts(texts: Mapping[str, str]) -> Workspace:
    """A policy whose files are all at hand, by path: nothing is looked up, and imports are not followed."""
    reader = _Reader()
    with _collector_paused():
        for path, text in sorted(texts.items()):
            reader.keep(path, SourceFile(shown(path), text))
    return reader.workspace()


def limit_of(path: str) -> int:
    """How many bytes a file may have."""
    return MAX_SNAPSHOT if path.endswith(SNAPSHOT) else MAX_BYTES


def shown(path: str) -> str:
    """A path as messages show it: as given but for `./`, and always text that can be printed."""
    return os.fsencode(Path(path).as_posix()).decode("utf-8", "replace")


def _content(path: str, limit: int, waiting: bool) -> bytes:
    """The first bytes of a file, one more than it may have; a pipe or /proc/kmsg may keep us `waiting`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if waiting else os.O_NONBLOCK))
    with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 (a descriptor)
        parts, size = [], 0
        while size <= limit and (part := file.read(min(1 << 20, limit + 1 - size))) != b"":
            if part is None:
                raise BlockingIOError(errno.EAGAIN, "it has no end")
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def _stored(source: SourceFile, key: str) -> tuple[AnyFile, tuple[Diagnostic, ...]] | None:
    """The file from the cache, where this very text was read without error before."""
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


def _encoding(data: bytes, at: int) -> tuple[str, str]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "is UTF-16, not UTF-8", "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`"
    return (
        f"is not UTF-8: it holds the byte 0x{data[at]:02x}",
        "save it as UTF-8; from an older encoding, `iconv -f ISO-8859-1 -t UTF-8` does it",
    )


def _remedy(error: OSError, importer: Span | None) -> str:
    if isinstance(error, FileNotFoundError):
        return "an import is relative to the file that it stands in" if importer else "check the path"
    if isinstance(error, PermissionError):
        return "let the user who runs segc read it"
    return ""
