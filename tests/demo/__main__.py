"""`make demo`: check, compile and trace the office sample, then try its ruleset with real connections."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.demo.talk import PASSED
from tests.demo.tries import AS_ANA, TRIES, Office, Result
from tests.netns.namespace import Namespace
from tests.netns.policy import compile_path, raise_gateway

ROOT = Path(__file__).parents[2]
WIDTHS = (17, 15, 18, 7)
GREEN, RED, BOLD, RESET = "\x1b[32m", "\x1b[1;31m", "\x1b[1m", "\x1b[0m"
COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
NEXT = """\
The namespaces are gone again, and nothing else on this machine was touched. What next:
  .venv/bin/segc compile samples/office -o build    then read build/gw1/ruleset.nft
  .venv/bin/segc init my-network                    a first policy of your own, with comments
  docs/tutorial.md                                  the office at leisure, in five minutes
  docs/language.md                                  every construct, with its precise meaning
"""


def main() -> int:
    _enter_user_namespace()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="segc-demo-") as folder:
        (Path(folder) / "samples").symlink_to(ROOT / "samples")
        _heading("1. Is the policy right?")
        _segc(folder, "segc check samples/office")
        _heading("2. What the gateway and the switch need")
        _segc(folder, "segc compile samples/office -o build/demo")
        _heading("3. Who decides?")
        _segc(folder, "segc trace samples/office hr finance.erp tcp/8443")
        _segc(folder, "segc trace samples/office vendor hr.payroll tcp/445")
        _segc(folder, "segc trace samples/office --user ana@acme.example vpn hr.payroll https")
        _heading("4. Real connections through the ruleset, in throwaway network namespaces")
        if missing := _missing():
            print(f"This needs what is missing here: {missing}")
            return 1
        try:
            wrong = _try((Path(folder) / "build/demo/gw1/ruleset.nft").read_text())
        except ValueError as error:
            if "Message too long" not in str(error):
                raise
            print(
                "This needs root: `sudo make demo`. To others the kernel allows no transaction of this size"
            )
            print("(net.core.wmem_max), not even in a user namespace.")
            return 1
    print(NEXT + f"\n{time.monotonic() - started:.1f} s")
    return 1 if wrong else 0


def _enter_user_namespace() -> None:
    """Without root, start again as the root of a user namespace, where the kernel lets us."""
    argv = ["unshare", "--user", "--map-root-user", "--net"]
    if os.geteuid() == 0 or not shutil.which("unshare"):
        return
    if subprocess.run([*argv, "true"], capture_output=True, check=False).returncode == 0:
        os.execvp("unshare", [*argv, sys.executable, "-m", "tests.demo"])


def _missing() -> str:
    for program, package in (("nft", "nftables"), ("ip", "iproute2")):
        if shutil.which(program) is None:
            return f"`{program}`, of the package {package}"
    try:
        Namespace.create().close()
    except OSError:
        return "root, or a kernel that lets users make namespaces; try `sudo make demo`"
    return ""


def _try(ruleset: str) -> int:
    """Load the ruleset and try the connections; how many went another way than `segc trace` said."""
    compiled = compile_path(ROOT / "samples" / "office")
    with raise_gateway(compiled.program(), ruleset) as gateway:
        office = Office(compiled, gateway)
        print(f"{len(office.hosts) - 1} zones with real hosts around gw1, its ruleset loaded.\n")
        _row(BOLD, "from", "to", "service", "trace", "what happened")
        results = [_show(each) for each in office.attempt(TRIES, {})]
        print(
            "\nana logs in on the VPN, second factor, managed device: two elements in a set, no new rule.\n"
        )
        results += [_show(each) for each in office.attempt(AS_ANA, office.bind_ana())]
    return _count(results)


def _count(results: Iterable[Result]) -> int:
    results = list(results)
    passed = sum(each.happened == PASSED for each in results)
    wrong = sum(not each.right for each in results)
    verdict = f"{wrong} NOT as trace says" if wrong else "each as trace says"
    print(f"\n{len(results)} tries: {passed} passed, {len(results) - passed} refused, {verdict}.\n")
    return wrong


def _show(result: Result) -> Result:
    asked = result.asked
    ip = "" if asked.family == 4 else " (IPv6)"
    happened = result.happened
    if asked.via:
        happened += f", called as {asked.via} port {asked.port}"
    elif result.seen_as:
        happened += ", seen as the gateway's own address"
    happened += "" if result.right else "   <-- WRONG"
    color = RED if not result.right else GREEN if result.happened == PASSED else ""
    wanted = "allow" if result.wanted[0] else "deny"
    _row(color, asked.source, asked.destination, asked.service + ip, wanted, happened)
    return result


def _row(color: str, *cells: str) -> None:
    text = "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=False)) + cells[-1]
    print(f"{color}{text}{RESET}" if COLOR and color else text, flush=True)


def _heading(text: str) -> None:
    print(f"{BOLD}{text}{RESET}\n" if COLOR else f"{text}\n{'-' * len(text)}", flush=True)


def _segc(folder: str, command: str) -> None:
    print(f"$ {command}", flush=True)
    argv = [sys.executable, "-m", *shlex.split(command)]
    subprocess.run(argv, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
