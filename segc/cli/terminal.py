"""Standard output and error: colour, width, encodings that lack a character, readers that went away."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from segc.space.words import system_reason

WIDTH = 100  # cells where no terminal says otherwise
PLAIN = str.maketrans(
    {"┌": ",", "─": "-", "│": "|", "╭": ",", "╰": "`", "…": "~", "·": "-", "✓": "+", "✗": "x", "→": ">"}
)


class ClosedError(Exception):
    """Output goes nowhere any more: its reader went away, or else `reason` says why."""

    def __init__(self, error: OSError) -> None:
        gone = isinstance(error, BrokenPipeError)
        self.reason = "" if gone else system_reason(error)


def colored(choice: str, stream: TextIO) -> bool:
    """Whether `--color CHOICE` paints what goes to `stream` (https://no-color.org)."""
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def width() -> int:
    return shutil.get_terminal_size((WIDTH, 24)).columns


def say(text: str, stream: TextIO | None = None) -> None:
    """Print text for people. What the encoding lacks becomes ASCII of the same width, or an escape."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    _write(stream, text)


def complain(text: str) -> None:
    say(text, sys.stderr)


def emit(document: str) -> None:
    """Print a document for programs: UTF-8, whatever the locale."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        _write(sys.stdout, document)
        return
    try:
        buffer.write(document.encode("utf-8", "replace"))
        buffer.flush()
    except OSError as error:
        raise ClosedError(error) from error


def can_show(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        raise ClosedError(error) from error


def open_missing() -> None:
    """Whoever starts us may have closed our streams, and the next file that is opened would get their place.

    What nobody reads is written all the same; reading what is not there fails.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_WRONLY)  # the lowest that is free: that of the stream
            setattr(sys, name, open(handle, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def abandon() -> None:
    """Point output that fails nowhere, or Python would complain of it as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
