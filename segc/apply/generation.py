"""One generation: a folder that is written once, never changed, and read with care.

meta.json                    what it is, and how long what is read again was
policy/, build/              the policy's texts, and what was compiled from them
load.nft, closed.nft         what a boot loads, and what where that cannot be loaded
revert/                      how to undo it
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from segc.apply import durable
from segc.apply.errors import ApplyError
from segc.document import DocumentError, read_json, shaped
from segc.frozen import frozen

READ_AGAIN, OF_OTHERS = ("build/", "policy/"), "build/networkd/"  # two files a zone, which segc never reads


@frozen
class Meta:
    """`when` in Unix seconds; `former` is the generation before it, `policy` the policy's digest; `sizes` are
    bytes by name of what is read again (`build/`, `policy/`). `absent` are devices of the policy that were
    not there, None where nobody wrote them down."""

    number: int
    former: int | None
    node: str
    policy: str
    who: str
    when: int
    why: str
    segc: str
    boot: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    absent: Sequence[str] | None = None


@frozen
class Generation:
    folder: Path
    meta: Meta

    @property
    def number(self) -> int:
        return self.meta.number

    @property
    def boot(self) -> str:
        """The run of the kernel that it was applied in."""
        return self.meta.boot

    @property
    def ruleset(self) -> str:
        return self.artifact("ruleset.nft") or ""

    def artifact(self, name: str) -> str | None:
        path = self.folder / "build" / name
        return _text(path) if path.exists() else None

    def artifacts(self) -> dict[str, str]:
        return _texts(self.folder / "build")

    def sources(self) -> dict[str, str]:
        return _texts(self.folder / "policy")


def read_generation(folder: Path) -> Generation:
    """That of the folder of its number. ApplyError where it is not kept any more, is not whole, or cannot be
    read."""
    number, root = int(folder.name), folder.parent.parent
    try:
        meta = _meta((folder / "meta.json").read_bytes(), number)
        broken = [name for name, size in meta.sizes.items() if (folder / name).stat().st_size != size]
    except PermissionError:
        raise ApplyError(f"generation {number} in `{root}` cannot be read without root") from None
    except (OSError, DocumentError) as error:
        if isinstance(error, FileNotFoundError) and not folder.is_dir():
            raise ApplyError(f"there is no generation {number}: see `segc history`") from None
        broken = ["meta.json"]
    if not broken and not _made_for(folder, meta):
        broken = ["meta.json"]
    if broken:
        words = f"generation {number} in `{root}` is damaged, see `{broken[0]}`"
        raise ApplyError(f"{words}: `segc apply` the policy again, or `segc rollback N` to another one")
    return Generation(folder, meta)


def write_generation(
    folder: Path, meta: Meta, contents: Mapping[str, str | Path], former: Path
) -> Generation:
    """Share with the folder of the former one what both have. OSError, and no folder, if that cannot be."""
    shared = {name: former / name if _holds(former / name, text) else text for name, text in contents.items()}
    read_again = (name for name in contents if name.startswith(READ_AGAIN))
    sizes = {name: _size(contents[name]) for name in read_again if not name.startswith(OF_OTHERS)}
    meta = replace(meta, sizes=sizes)
    text = json.dumps(asdict(meta), indent=2) + "\n"
    durable.write_folder(folder, {**shared, "meta.json": text})
    return Generation(folder, meta)


def _meta(data: bytes, number: int) -> Meta:
    """DocumentError where it is not what `write_generation` wrote for this number."""
    meta = shaped(Meta, read_json(data))
    if meta.number != number:
        raise DocumentError(f"is of generation {meta.number}")
    return meta


class _Build(NamedTuple):
    node: str
    policy: str


def _made_for(folder: Path, meta: Meta) -> bool:
    """Whether its build, where that says so, is of the node and the policy that it is said to be of."""
    try:
        built = shaped(_Build, read_json((folder / "build/manifest.json").read_bytes()))
        return (built.node, built.policy) == (meta.node, meta.policy)
    except FileNotFoundError:
        return True
    except (OSError, DocumentError):
        return False


def _size(content: str | Path) -> int:
    if isinstance(content, Path):
        return content.stat().st_size
    return len(content) if content.isascii() else len(content.encode())


def _holds(path: Path, content: str | Path) -> bool:
    """Whether a file has just this text."""
    if isinstance(content, Path):
        return False
    data = content.encode()
    try:
        with path.open("rb", buffering=0) as file:
            return os.fstat(file.fileno()).st_size == len(data) and file.read() == data
    except OSError:
        return False


def _text(path: Path) -> str:
    """Just as it was written, ends of lines as well. Megabytes are not copied before they are decoded."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return ""
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return str(data, "utf-8")


def _texts(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    try:
        return {path.relative_to(folder).as_posix(): _text(path) for path in files}
    except (OSError, UnicodeDecodeError):
        raise ApplyError(f"`{folder}` cannot be read: is it damaged?") from None
