"""What segc remembers of a host: every generation that was applied, and which of them stand.

    lock                 held by whoever changes anything
    generations/7/       policy/, build/, load.nft, closed.nft, revert/, meta.json; never changed
    current              -> generations/7, what the kernel holds
    confirmed            -> generations/6, what a boot brings back
    pending              -> generations/7, from before the kernel is touched until it is confirmed or undone
    window.json          until when `pending` waits for its confirmation, and who will undo it
    ended/7              how a generation ended that was undone

Pointers are symbolic links, exchanged by rename(2). `pending` without `current` on the same generation is an
apply that died: `revert/` says how to undo it, and needs nothing of segc for that.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from segc.apply import durable
from segc.apply.errors import ApplyError
from segc.space.words import system_reason

DEFAULT = Path("/var/lib/segc")
READ_AGAIN, OF_OTHERS = ("build/", "policy/"), "build/networkd/"  # two files a zone, which segc never reads
KEPT = 20  # generations, beside those that stand


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class State:
    """A state directory. Reading it needs no lock; `locked` makes the folder where there is none."""

    root: Path

    @property
    def generations(self) -> Path:
        return self.root / "generations"

    def pointer(self, name: str) -> int | None:
        """The number that `current`, `confirmed` or `pending` leads to."""
        try:
            return int((self.root / name).readlink().name)
        except (OSError, ValueError):
            return None

    def point(self, name: str, number: int | None) -> None:
        durable.point(self.root / name, None if number is None else f"generations/{number}")

    def generation(self, number: int) -> Generation:
        """ApplyError where it is not kept any more, is not whole, or cannot be read."""
        folder = self.generations / str(number)
        try:
            meta = _meta((folder / "meta.json").read_text("utf-8"), number)
            broken = [name for name, size in meta.sizes.items() if (folder / name).stat().st_size != size]
        except PermissionError:
            raise ApplyError(f"generation {number} in `{self.root}` cannot be read without root") from None
        except (OSError, ValueError, TypeError) as error:
            if isinstance(error, FileNotFoundError) and not folder.is_dir():
                raise ApplyError(f"there is no generation {number}: see `segc history`") from None
            broken = ["meta.json"]
        if not broken and not _made_for(folder, meta):
            broken = ["meta.json"]
        if broken:
            words = f"generation {number} in `{self.root}` is damaged, see `{broken[0]}`"
            raise ApplyError(f"{words}: `segc apply` the policy again, or `segc rollback N` to another one")
        return Generation(folder, meta)

    def at(self, name: str) -> Generation | None:
        number = self.pointer(name)
        return None if number is None else self.generation(number)

    def intact(self, name: str) -> Generation | None:
        """As `at`, but None where it is damaged: what cannot be told must not stand in the way of mending."""
        with suppress(ApplyError):
            return self.at(name)
        return None

    def numbers(self) -> list[int]:
        try:
            return sorted(int(path.name) for path in self.generations.iterdir() if path.name.isdecimal())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ApplyError(f"`{self.generations}` cannot be read: {system_reason(error)}") from None

    def next_number(self) -> int:
        """That no generation has or had, be its files there or not."""
        pointed = (self.pointer(name) or 0 for name in ("current", "confirmed", "pending"))
        return max((*self.numbers(), *pointed)) + 1

    def record(self, meta: Meta, contents: Mapping[str, str | Path]) -> Generation:
        """Keep a new generation, which shares with the former one what both have. OSError if it cannot be
        written."""
        folder = self.generations / str(meta.number)
        former = self.generations / str(meta.former)
        shared = {
            name: former / name if _holds(former / name, text) else text for name, text in contents.items()
        }
        read_again = (name for name in contents if name.startswith(READ_AGAIN))
        sizes = {name: _size(contents[name]) for name in read_again if not name.startswith(OF_OTHERS)}
        meta = replace(meta, sizes=sizes)
        text = json.dumps(asdict(meta), indent=2) + "\n"
        durable.write_folder(folder, {**shared, "meta.json": text})
        return Generation(folder, meta)

    def end(self, number: int, how: str) -> None:
        (self.root / "ended").mkdir(exist_ok=True)
        durable.write_file(self.root / "ended" / str(number), how + "\n")

    def ended(self, number: int) -> str | None:
        try:
            return (self.root / "ended" / str(number)).read_text("utf-8").strip()
        except OSError:
            return None

    def read(self, name: str) -> dict[str, Any]:
        """A small JSON file of the folder; empty where there is none."""
        try:
            found = json.loads((self.root / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        durable.write_file(self.root / name, json.dumps(content) + "\n")

    def prune(self) -> None:
        """Forget all but the newest generations and those that stand."""
        standing = {self.pointer(name) for name in ("current", "confirmed", "pending")}
        for number in self.numbers()[:-KEPT]:
            if number not in standing:
                shutil.rmtree(self.generations / str(number), ignore_errors=True)

    def _refuse_strangers(self) -> None:
        for path in (self.root, self.generations):
            found = path.stat()
            if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
                words = f"others than root can write to `{path}`, and scripts in it are run by root"
                mend = f"`chown root {path} && chmod go-w {path}` if you trust what is there"
                raise ApplyError(f"{words}; nothing was changed: {mend}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the folder. ApplyError where another has it, it cannot be written, or by too many."""
        os.umask(os.umask(0o022) | 0o022)
        try:
            self.generations.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._refuse_strangers()
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self.root, error) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                words = f"another segc is at work on `{self.root}`; nothing was changed: try again later"
                raise ApplyError(words) from None
            yield
        finally:
            with suppress(OSError):
                os.close(handle)


def unwritable(root: Path, error: OSError) -> ApplyError:
    reason = system_reason(error)
    return ApplyError(f"the state directory `{root}` cannot be written: {reason}; nothing was changed")


def _meta(text: str, number: int) -> Meta:
    """ValueError or TypeError where it is not what `record` wrote for this number."""
    meta = Meta(**json.loads(text))
    words = meta.node, meta.policy, meta.who, meta.why, meta.segc, meta.boot, *(meta.absent or ())
    numbers = meta.number, meta.when, *([] if meta.former is None else [meta.former]), *meta.sizes.values()
    whole = all(isinstance(each, str) for each in words) and all(isinstance(each, int) for each in numbers)
    if not whole or meta.number != number:
        raise ValueError(number)
    return meta


def _made_for(folder: Path, meta: Meta) -> bool:
    """Whether its build, where that says so, is of the node and the policy that it is said to be of."""
    try:
        built = json.loads((folder / "build/manifest.json").read_text("utf-8"))
        return (built["node"], built["policy"]) == (meta.node, meta.policy)
    except FileNotFoundError:
        return True
    except (OSError, ValueError, LookupError, TypeError):
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
