"""A gateway whose ruleset comes by `segc apply`, with a state directory of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pyroute2 import IPRoute

from segc.apply import live, saga, timer
from segc.apply.connections import at_home, cut
from segc.apply.state import State
from segc.apply.work import Wanted
from segc.compile import build
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.netns.harness import Gateway
from tests.netns.namespace import run
from tests.netns.policy import compile_text, interfaces
from tests.netns.site import ZONES, Site

T = TypeVar("T")
# One device a zone: this kernel may know no 802.1Q.
GATEWAY = """
gateway gw {
  interface wan0 { zone net  address dhcp }
  interface a0 { zone a }
  interface b0 { zone b }
  interface c0 { zone c }
  address a 10.1.0.1/24, 2001:db8:1::1/64
  address b 10.2.0.1/24, 2001:db8:2::1/64
  address c 10.3.0.1/24, 2001:db8:3::1/64
  %s
}
"""


@dataclass
class Host(Site):
    """The small network, with nothing applied to its gateway when entered."""

    folder: Path = Path()
    zones: str = ZONES.replace('group ledger from directory "sg-ledger"\n', "")  # known by a snapshot only
    gateway_text: str = GATEWAY
    state_dir: Path = field(init=False)

    def __enter__(self) -> Host:
        self.stack = ExitStack()
        self.gateway = self.stack.enter_context(Gateway(interfaces(self.program)))
        self.name = self.stack.enter_context(self.gateway.namespace.named())
        self.state_dir = self.folder / "state"
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        timer.stop(timer.window(self.state))  # no watch outlives its test
        self.stack.close()

    @property
    def state(self) -> State:
        return State(self.state_dir / "netns" / self.name)

    @property
    def where(self) -> list[str]:
        return ["--netns", self.name, "--state-dir", str(self.state_dir)]

    def standing(self) -> tuple[int | None, int | None, int | None]:
        """The generations that are current, confirmed and pending."""
        current, confirmed, pending = map(self.state.pointer, ("current", "confirmed", "pending"))
        return current, confirmed, pending

    def marker(self) -> tuple[int, ...]:
        """The generation that the kernel holds."""
        return self.inside(live.held).markers

    def policy(self, statements: str) -> str:
        gateway = self.gateway_text % self.in_gateway if "%s" in self.gateway_text else self.gateway_text
        return f"{self.zones}{gateway}\n{statements}\n"

    def write(self, statements: str) -> str:
        path = self.folder / "policy.seg"
        path.write_text(self.policy(statements))
        return str(path)

    def segc(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the command line from outside, as a pipeline would."""
        argv = [sys.executable, "-m", "segc", *arguments, *self.where]
        return subprocess.run(
            argv, capture_output=True, text=True, env=more or None, stdin=subprocess.DEVNULL
        )

    def apply(self, statements: str, *options: str, code: int = 0, strict: bool = True) -> str:
        """`segc apply` of these statements; what it printed. From then on `check` asks of them."""
        done = self.segc("apply", self.write(statements), *["--strict"] * strict, *options)
        assert done.returncode == code, done.stdout + done.stderr
        if code == 0:
            self.now(statements)
        return done.stdout + done.stderr

    def now(self, statements: str) -> None:
        """Take these for what stands."""
        self.compiled = compile_text(self.policy(statements))
        self.program = self.compiled.program()

    def inside(self, work: Callable[[], T]) -> T:
        return self.gateway.namespace.call(work)

    def transactions(self) -> int:
        return self.inside(live.transactions)

    def nft(self, *arguments: str) -> str:
        return run(self.gateway.namespace, ["nft", *arguments]).stdout

    def wanted(self, statements: str) -> Wanted:
        """What `segc apply` would make of these statements."""
        source = SourceFile("policy.seg", self.policy(statements))
        built = build(compile_text(source.text).policy, [(source, parse(source)[0])])
        artifacts = {each.name: each.text for each in built.artifacts if each.node == "gw"}
        digest = json.loads(artifacts["manifest.json"])["policy"]
        return Wanted("gw", digest, {"policy.seg": source.text}, artifacts)

    def apply_here(
        self, wanted: Wanted, before: saga.Hook = lambda step: None, window: int | None = None
    ) -> saga.Applied | None:
        """The same in this process, which is faster where there is much to apply."""
        policy = compile_text(wanted.sources["policy.seg"]).policy

        def work() -> saga.Applied | None:
            with self.state.locked(), IPRoute() as links:
                here = at_home(policy, "gw", links)
                return saga.apply(
                    self.state,
                    wanted,
                    links,
                    window=window,
                    netns=self.name,
                    cut=lambda generation: cut(here),
                    before=before,
                )

        return self.inside(work)
