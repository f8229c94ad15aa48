"""The policy files of a Git revision, read from its objects: nothing is checked out, nothing is written.

Names of files and revisions are never interpreted: Git gets them after `--end-of-options` or as object names
on standard input, and gives paths as they are, ended by NUL. Inside a hook Git's own variables
say which repository is meant (`GIT_DIR`) and where objects lie that are only being pushed (the quarantine of
git-receive-pack(1)); a bare repository has files where `GIT_WORK_TREE` says so.
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from segc import manifest, workspace
from segc.frozen import frozen
from segc.identity.snapshot import FILE as SNAPSHOT
from segc.syntax.tree import Import
from segc.workspace import Workspace
from segc.workspace.paths import is_folder, limit_of, shown

FILES = ("100644", "100755")
LINK = "120000"
SUBMODULE = "160000"
NAMED = 3  # folders
LINKS = 8  # followed one after the other
# `refs/replace/` would give one commit the files of another, and whoever may push may push these, too.
QUIETLY = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}


class RevisionError(Exception):
    """The revision or a file of it cannot be read; carries a sentence for the user."""


class UnknownRevisionError(RevisionError):
    """There is no such revision; carries what goes on after `X is no build, and`."""


def read_revision(revision: str, paths: Sequence[str]) -> tuple[str, Workspace]:
    """The commit's name and the policy that `paths` (of the working tree) were in that revision.

    Paths are those of today and may be gone by now; what is imported comes from the same revision.
    RevisionError.
    """
    tree = _open(revision, paths[0])
    wanted = [file for path in paths for file in (*tree.below(path), *tree.snapshot(path))]
    texts: dict[str, str] = {}
    places: dict[str, str] = {}
    while wanted:
        for path in wanted:
            place = tree.place(path)
            if place not in places.values():  # a link leads to what may have been read
                texts[path] = tree.text(path, place)
            places[path] = place
        found = workspace.of_texts(texts)
        wanted = [target for target in _imports(found) if target not in places]
    return tree.commit, found


def _imports(found: Workspace) -> Iterator[str]:
    for source, file in found.files:
        for statement in file.rest:
            if isinstance(statement, Import):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(source.path), statement.path.text))


@frozen
class _Tree:
    """Git is called at `at`; `top` is the working tree's folder, `entries` mode and object by path below."""

    revision: str
    commit: str
    at: str
    top: str
    entries: dict[str, tuple[str, str]]

    def below(self, path: str) -> list[str]:
        """A file, or the policy files of a folder, none of them hidden or compiled."""
        inside = self.inside(path)
        if inside in self.entries:
            return [posixpath.normpath(path)]
        prefix = "" if inside == "." else f"{inside}/"
        rests = [name[len(prefix) :] for name in self.entries if name.startswith(prefix)]
        self._check_submodules(path, prefix, rests)
        copies = manifest.copies(filter(posixpath.dirname, rests), lambda rest: self._text(prefix + rest))
        found = [
            rest
            for rest in rests
            if rest.endswith(".seg") and not (rest in copies or rest.startswith(".") or "/." in rest)
        ]
        if not found:
            raise RevisionError(f"`{shown(path)}` held no policy in `{self.revision}`: {self._elsewhere()}")
        return [posixpath.normpath(posixpath.join(path, rest)) for rest in sorted(found)]

    def _check_submodules(self, path: str, prefix: str, rests: Sequence[str]) -> None:
        """Their files are no objects of this repository, and a policy without them would be another."""
        for rest in rests:
            today = Path(path, rest)
            unread = not today.is_dir() or any(today.rglob("*.seg"))
            if self.entries[prefix + rest][0] == SUBMODULE and unread:
                raise RevisionError(
                    f"`{shown(posixpath.join(path, rest))}` is a submodule, and what it held in "
                    f"`{self.revision}` is not read: compare with a build of that, as in `--against build`"
                )

    def _elsewhere(self) -> str:
        """Where there was one, as for a folder that was renamed."""
        files = (name for name in self.entries if name.endswith(".seg") and not f"/{name}".count("/."))
        folders = sorted({posixpath.dirname(name) or "." for name in files})
        if not folders:
            return "there no folder did"
        listed = ", ".join(f"`{shown(each)}`" for each in folders[:NAMED])
        more = f" and {len(folders) - NAMED:,} more" if len(folders) > NAMED else ""
        advice = "compare with a build of that, as in `--against build`"
        return f"there its `.seg` files lay in {listed}{more}; {advice}"

    def _text(self, inside: str) -> str:
        """Of a file that may be anybody's; `""` where it is a link or a submodule."""
        mode, name = self.entries[inside]
        return _git(self.at, "cat-file", "blob", name).decode("utf-8", "replace") if mode in FILES else ""

    def snapshot(self, path: str) -> list[str]:
        """The snapshot of directories that lay in a folder, or beside a file."""
        folder = posixpath.dirname(path) if self.inside(path) in self.entries else path
        found = posixpath.join(folder, SNAPSHOT)
        return [found] if self.inside(found) in self.entries else []

    def inside(self, path: str) -> str:
        """The path from `top` on, by links to folders as they lead today; those to files are not followed."""
        folder, name = (path, "") if is_folder(path) else os.path.split(path.rstrip("/"))
        real = os.path.normpath(os.path.join(os.path.realpath(folder), name))  # noqa: PTH118
        inside = os.path.relpath(real, self.top)
        if inside.split("/")[0] == "..":
            raise RevisionError(f"`{shown(path)}` lies outside the Git repository `{shown(self.top)}`")
        return inside

    def place(self, path: str) -> str:
        """Where the file lay that a path led to."""
        inside = self.inside(path)
        for _ in range(LINKS):
            mode, name = self.entries.get(inside, ("", ""))
            if mode != LINK:
                break
            target = _git(self.at, "cat-file", "blob", name).decode("utf-8", "surrogateescape")
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(inside), target))
        if mode not in FILES:
            raise RevisionError(f"`{shown(path)}` was no file in `{self.revision}`")
        return inside

    def text(self, path: str, place: str) -> str:
        return self.decoded(path, _git(self.at, "cat-file", "blob", self.entries[place][1]))

    def decoded(self, path: str, data: bytes) -> str:
        if len(data) > (limit := limit_of(path)):
            raise RevisionError(f"`{shown(path)}` in `{self.revision}` is larger than {limit >> 20} MiB")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise RevisionError(f"`{shown(path)}` in `{self.revision}` is not UTF-8") from None
        if "\0" in text:
            raise RevisionError(f"`{shown(path)}` in `{self.revision}` holds a NUL byte")
        return text


def _open(revision: str, path: str) -> _Tree:
    at = _place(path)
    try:
        top = os.fsdecode(_git(at, "rev-parse", "--show-toplevel").removesuffix(b"\n"))
    except RevisionError as error:
        if "not a git repository" in str(error):
            raise UnknownRevisionError(f"`{shown(path)}` lies in no Git repository") from None
        if "work tree" not in str(error):
            raise
        raise RevisionError(
            f"the Git repository is bare: say with `GIT_WORK_TREE` where `{shown(path)}` was checked out"
        ) from None
    _check_one_meaning(revision, at)
    try:
        asked = f"{revision}^{{commit}}"
        commit = _git(at, "rev-parse", "--verify", "--quiet", "--end-of-options", asked).decode().strip()
    except RevisionError:
        words = "no Git revision"
        if _git(at, "rev-parse", "--is-shallow-repository").strip() == b"true":
            words += " that this shallow clone holds: `git fetch --unshallow` gets the rest"
        raise UnknownRevisionError(words) from None
    entries = {}
    for line in _git(at, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, _, rest = about.decode().partition(" ")
        entries[os.fsdecode(name)] = mode, rest.split(" ")[1]
    return _Tree(shown(revision), commit, at, os.path.realpath(top), entries)


def _check_one_meaning(revision: str, at: str) -> None:
    """A tag that is called like a branch would be taken for it (gitrevisions(7)), and few guard tags."""
    name = re.split(r"[~^:]|@\{", revision)[0]
    kinds = [f"refs/{kind}{name}" for kind in ("tags/", "heads/", "remotes/")]
    known = _git(at, "for-each-ref", "--format=%(refname)").decode("utf-8", "surrogateescape").splitlines()
    found = [each for each in kinds if each in known]
    if len(found) > 1:
        both = " and ".join(f"`{shown(each)}`" for each in found)
        raise RevisionError(f"`{shown(name)}` is {both}: write out which one is meant")


def _place(path: str) -> str:
    """Where Git finds the repository: here if its variables name one, as seen from here, else at the path."""
    if "GIT_DIR" in os.environ or "GIT_WORK_TREE" in os.environ:
        return "."
    return str(next(each for each in (Path(path), *Path(path).resolve().parents) if is_folder(str(each))))


def _git(folder: str, *arguments: str) -> bytes:
    environment = os.environ | QUIETLY
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, env=environment)
    except FileNotFoundError:
        raise RevisionError("`git` is not installed, and the former policy lies in a Git revision") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no such revision or object"]
        raise RevisionError(f"git says: {words[0].removeprefix('fatal: ')}")
    return done.stdout
