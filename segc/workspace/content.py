"""What is in a file: bytes of bounded number, and the text that they are. Files may be anybody's, or none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from segc.diagnostics.model import Diagnostic, finding
from segc.identity.snapshot import FILE as SNAPSHOT
from segc.source import SourceFile, Span
from segc.space.words import system_reason
from segc.workspace.paths import limit_of, shown


def unread(message: str, span: Span | None, help: str = "") -> Diagnostic:
    """The finding on what cannot be read."""
    return finding("SEG002", message, span, help=help)


def content(path: str, importer: Span | None, named: bool) -> bytes | Diagnostic:
    """The bytes of a file, or why there are none. What the user `named` may be a pipe."""
    name = f"`{shown(path)}`"
    piped = not importer and named
    if importer and not path.endswith(".seg"):
        return _no_policy(f"{name} is no policy", importer)
    try:
        mode = Path(path).stat().st_mode
        if wrong := _wrong_kind(name, mode, importer, piped):
            return wrong
        if not named and not _may_be_shown(path):
            return _no_policy(f"{name} leads to a file that is no policy", importer)
        limit = limit_of(path)
        data = _bytes(path, limit, waiting=stat.S_ISFIFO(mode))
    except OSError as error:
        return unread(f"{name} cannot be read: {system_reason(error)}", importer, remedy(error, importer))
    if len(data) > limit:
        message = f"{name} is larger than {limit >> 20} MiB"
        return unread(message, importer, "split the policy into several files")
    return data


def _no_policy(message: str, importer: Span | None) -> Diagnostic:
    return unread(f"{message}: its name does not end in `.seg`", importer, "rename it, if it is one")


def _wrong_kind(name: str, mode: int, importer: Span | None, piped: bool) -> Diagnostic | None:
    if stat.S_ISDIR(mode):
        return unread(f"{name} is a folder, and `import` takes a file", importer, "import each of its files")
    if not stat.S_ISREG(mode) and not (piped and stat.S_ISFIFO(mode)):
        return unread(f"{name} is neither a file nor a folder", importer)
    return None


def _may_be_shown(path: str) -> bool:
    """Of what the user did not name no text is shown that is no policy, such as a key."""
    return path.endswith(SNAPSHOT) or os.path.realpath(path).endswith(".seg")


def _bytes(path: str, limit: int, waiting: bool) -> bytes:
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


def remedy(error: OSError, importer: Span | None = None) -> str:
    """What the user can do about it; `""` where we do not know."""
    if isinstance(error, FileNotFoundError):
        return "an import is relative to the file that it stands in" if importer else "check the path"
    if isinstance(error, PermissionError):
        return "let the user who runs segc read it"
    return ""


def decode(name: str, data: bytes) -> tuple[SourceFile, Diagnostic | None]:
    """The text of a file that is shown as `name`; with a finding where it is only the likes of one."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _undecoded(name, data, error.start, *_encoding(data, error.start))
    nul = text.find("\0")
    if nul != -1:
        at = len(text[:nul].encode("utf-8"))
        return _undecoded(
            name, data, at, "holds a NUL byte", "a policy is plain text: is this the right file?"
        )
    return SourceFile(name, text), None


def _undecoded(name: str, data: bytes, at: int, what: str, help: str) -> tuple[SourceFile, Diagnostic]:
    source = SourceFile(name, data.decode("utf-8", "replace"))
    start = len(data[:at].decode("utf-8", "replace"))
    span = source.span(start, start + 1)
    return source, unread(f"`{name}` {what} (byte {at}, line {span.line})", span, help)


def _encoding(data: bytes, at: int) -> tuple[str, str]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "is UTF-16, not UTF-8", "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`"
    return (
        f"is not UTF-8: it holds the byte 0x{data[at]:02x}",
        "save it as UTF-8; from an older encoding, `iconv -f ISO-8859-1 -t UTF-8` does it",
    )
