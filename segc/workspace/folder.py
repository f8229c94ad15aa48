"""Which files below a folder are the policy: all `*.seg`, but none that is hidden or was compiled."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from segc import manifest
from segc.diagnostics.model import Diagnostic
from segc.space.words import system_reason
from segc.workspace.content import remedy, unread
from segc.workspace.paths import limit_of, shown


def policy_files(folder: str) -> tuple[list[str], list[Diagnostic]]:
    """Their paths, in order, and what could not be read; a finding too where there is none."""
    wrong: list[Diagnostic] = []
    below = sorted(_walk(folder, wrong))
    manifests = [os.path.realpath(each) for each in below if not each.endswith(".seg")]
    copies = manifest.copies(manifests, _text)
    found = [each for each in below if each.endswith(".seg") and os.path.realpath(each) not in copies]
    if not found:
        but = ", but for what `segc compile` wrote" if copies else ""
        message = f"the folder `{shown(folder)}` holds no policy: no file below it ends in `.seg`{but}"
        help = "name the folder that holds the policy, or write a first one with `segc init`"
        wrong.append(unread(message, None, help))
    return found, wrong


def _walk(top: str, wrong: list[Diagnostic]) -> Iterator[str]:
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
            wrong.append(unread(f"the folder `{shown(folder)}` cannot be read: {system_reason(error)}", None))
            continue
        for name in (name for name in names if not name.startswith(".")):
            path = posixpath.join(folder, name)
            if _may_enter(path, wrong):
                folders.append(path)
            elif name.endswith(".seg") or (name == manifest.FILE and folder != top):
                yield path


def _may_enter(path: str, wrong: list[Diagnostic]) -> bool:
    """Whether it is a folder. Where nobody may look there could be one, which is told; of a file its reading
    tells."""
    try:
        return Path(path).is_dir()
    except OSError as error:
        if not path.endswith(".seg"):
            message = f"`{shown(path)}` cannot be read: {system_reason(error)}"
            wrong.append(unread(message, None, remedy(error)))
        return False


def _text(path: str) -> str:
    """Of a file that may be anybody's; `""` where it cannot be one of ours."""
    try:
        readable = Path(path).is_file() and Path(path).stat().st_size <= limit_of(path)
        return Path(path).read_text("utf-8") if readable else ""
    except (OSError, ValueError):
        return ""
