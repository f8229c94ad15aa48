"""Forwarding and its like, `sysctl.conf`: set only after the ruleset, as steps that can be undone."""

from __future__ import annotations

from pathlib import Path

from pyroute2 import IPRoute

from segc.apply.step import Step

PROC = Path("/proc/sys")


def sysctl_steps(text: str) -> list[Step]:
    """A step for each setting of the file that is not as it says; what the kernel lacks is left out."""
    steps = []
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        path = PROC / name.replace(".", "/")
        if not equals or name.startswith("#") or not path.exists():
            continue
        present = path.read_text().strip()
        if present != value:
            steps.append(_step(name, path, value, present))
    return steps


def _step(name: str, path: Path, value: str, former: str) -> Step:
    def take(_: IPRoute) -> None:
        path.write_text(value)

    return Step(f"set {name} to {value}", "", take, (f"echo {former} >{path}",), late=True)
