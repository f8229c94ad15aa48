"""A gateway whose policy comes by `segc apply` and whose sessions are kept by `segc agent`."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segc.sessions.client import ask
from tests.netns.applying import Host
from tests.netns.site import ZONES


@dataclass
class AgentHost(Host):
    """The agent runs from `start_agent` on; each is a process of its own."""

    zones: str = ZONES.replace('group ledger from directory "sg-ledger"\n', "")
    agent: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __exit__(self, *stack: Any) -> None:
        self.kill_agent(signal.SIGKILL)
        super().__exit__(*stack)

    @property
    def socket(self) -> Path:
        return self.folder / "agent.sock"

    @property
    def audit(self) -> list[dict[str, Any]]:
        path = self.folder / "audit.json"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def start_agent(self, *options: str, argv: list[str] | None = None) -> None:
        """Returns when it serves; AssertionError if it ends before."""
        ready = self.folder / "ready.sock"
        ready.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(str(ready))
            command = [*(argv or [sys.executable, "-m", "segc"]), "agent", "--socket", str(self.socket)]
            command += ["--audit", str(self.folder / "audit.json"), *options, *self.where]
            self.agent = subprocess.Popen(
                command, env=os.environ | {"NOTIFY_SOCKET": str(ready)}, stderr=subprocess.PIPE
            )
            while not select.select([notified], [], [], 0.05)[0]:
                assert self.agent.poll() is None, (self.agent.stderr and self.agent.stderr.read()) or ""
            assert notified.recv(100) == b"READY=1"

    def kill_agent(self, number: int = signal.SIGTERM) -> None:
        if self.agent is not None:
            self.agent.send_signal(number)
            self.agent.wait()
            if self.agent.stderr:
                self.agent.stderr.close()
            self.agent = None

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        return ask(self.socket, {"do": do, **more})

    def claim(self, name: str, user: str, **more: Any) -> dict[str, Any]:
        """The answer to a claim for both addresses of a name such as `a.5`."""
        addresses = [self.address(name, family) for family in (4, 6)]
        return self.ask("bind", user=user, addresses=addresses, **more)

    def claimed(self, name: str, user: str, **more: Any) -> dict[str, Any]:
        """The session that the claim makes."""
        answer = self.claim(name, user, **more)
        assert answer["ok"], answer
        found: dict[str, Any] = answer["session"]
        return found

    def settled(self, seconds: float = 5.0) -> None:
        """Return once the agent has taken up the generation that stands."""
        self.wait(lambda: self.ask("status")["generation"] == self.state.pointer("current"), seconds)

    @staticmethod
    def wait(happened: Any, seconds: float = 5.0) -> float:
        """Seconds until it happened; AssertionError if it did not."""
        started = time.monotonic()
        while not happened():
            assert time.monotonic() - started < seconds, "it does not happen"
            time.sleep(0.01)
        return time.monotonic() - started

    def members(self, prefix: str = "who") -> dict[str, list[str]]:
        """The elements of the session sets, by set."""
        listed = json.loads(self.nft("-j", "list", "table", "inet", "segc"))["nftables"]
        found = {}
        for each in listed:
            content = each.get("set")
            if content and content["table"] == "segc" and content["name"].startswith(prefix):
                elements = [e["elem"]["val"] if "elem" in e else e for e in content.get("elem", [])]
                found[content["name"]] = sorted(elements)
        return found

    def bound(self) -> set[str]:
        """Every address that is in any session set."""
        return {address for each in self.members().values() for address in each}


__all__ = ["AgentHost", "suppress"]
