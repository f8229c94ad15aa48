"""A policy in a folder with what says where its directories are, and the command run beside it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from segc.cli.app import segc
from segc.identity.snapshot import FILE

SECRET = "corréct/horse battery+staple"
TOKEN = "tok/en+of=the~test-7f3a"  # what a header can hold
ROOT = Path(__file__).parents[2]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@dataclass
class Site:
    """`secrets` are environment variables; whatever a command printed is kept in `said`, and every secret in
    `planted`."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    planted: list[str] = field(default_factory=lambda: [SECRET, TOKEN])

    def keep(self, secret: str) -> None:
        (self.folder / "corp.secret").write_text(secret + "\n")
        self.planted.append(secret)

    def refused(self, *words: str) -> None:
        """A sync fails with these words, and the snapshot stays as it is."""
        lock = self.folder / FILE
        before = lock.read_bytes() if lock.exists() else None
        done = self.sync()
        assert done.returncode == 1, done.stdout
        assert "nothing was written" in done.stderr
        for word in words:
            assert word in done.stderr
        assert (lock.read_bytes() if lock.exists() else None) == before

    def policy(self, groups: Sequence[str], users: Sequence[str] = (), more: str = "") -> None:
        lines = [
            f'group g{n} from directory "{name}"\nallow group g{n} in vpn -> erp : tcp/{1000 + n}\n'
            for n, name in enumerate(groups)
        ]
        lines += [f'allow user "{name}" in vpn -> erp : tcp/22\n' for name in users]
        zones = "zone vpn { subnet 10.8.0.0/24 }\nzone erp { subnet 10.1.0.0/24 }\n"
        (self.folder / "policy.seg").write_text(zones + "".join(lines) + more)

    def settings(self, text: str) -> None:
        (self.folder / "identity.toml").write_text(text)

    def run(self, *arguments: str) -> Done:
        """The command, in this process."""
        cleared = {name: None for name in os.environ if name.startswith("SEGC_")}
        with contextlib.chdir(self.folder):
            found = CliRunner().invoke(segc, arguments, env=cleared | self._environment)
        done = Done(found.exit_code, found.stdout, found.stderr)
        self.said += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr
        assert "segc has a bug" not in done.stderr, done.stderr
        return done

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """The command as a process of its own."""
        argv = [sys.executable, "-m", "segc", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self._environment}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv, cwd=self.folder, env=environment, text=True, stdout=pipe, stderr=pipe
        )  # fmt: skip

    @property
    def _environment(self) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(self.folder / "home"), **self.secrets}

    def sync(self, *arguments: str) -> Done:
        return self.run("identity", "sync", *arguments)

    def synced(self, *arguments: str) -> Mapping[str, Any]:
        """The directories of the snapshot after a sync that has to work."""
        done = self.sync(*arguments)
        assert done.returncode == 0, done.stderr
        return self.snapshot()

    def snapshot(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.folder / FILE).read_text())["directories"]
        return found

    def written(self) -> bytes:
        """Everything that was printed, and every file that was made but those that hold the secret."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".secret"]
        return b"\n".join([path.read_bytes() for path in files] + [text.encode() for text in self.said])
