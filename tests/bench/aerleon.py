"""Aerleon's shade check on the flows of `tests.bench.analysis`.

A flow is one term, denies first; what Aerleon has no words for (people, facts, hours) is left out. Where a
flow has services of two protocols its term has the ports of both under either, which only spares terms.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from segc.policy.model import Flow, Policy
from segc.space.prefixes import PrefixSet
from segc.space.services import ANY_SERVICE, ServiceSet

VERSION = "1.18.0"
ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".cache" / "bench" / f"aerleon-{VERSION}"
SHADE = Path(__file__).parent / "peers" / "shade.py"
PROTOCOLS = {6: "tcp", 17: "udp"}


class Shading(NamedTuple):
    """CPU seconds of parsing and of the check alone."""

    terms: int
    parsing: float
    checking: float
    shaded: int


def shade(policy: Policy, folder: Path) -> Shading:
    """Run beside us, in a process and a virtual environment of its own."""
    if not (HOME / "bin" / "aclgen").exists():
        subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
        subprocess.run([HOME / "bin" / "pip", "--quiet", "install", f"aerleon=={VERSION}"], check=True)
    written = _write(policy.flows, folder)
    run = [HOME / "bin" / "python", SHADE, folder, written]
    terms, parsing, checking, shaded = subprocess.check_output(run, text=True).split()
    return Shading(int(terms), float(parsing), float(checking), int(shaded))


def _write(flows: Iterable[Flow], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    networks: dict[PrefixSet, str] = {}
    ports: dict[tuple[int, int], str] = {}
    terms = [
        _term(number, flow, networks, ports)
        for number, flow in enumerate(sorted(flows, key=lambda flow: flow.action, reverse=True))
    ]
    with (folder / "ends.net").open("w") as out:
        for space, name in networks.items():
            out.write(f"{name} = " + "\n  ".join((*space.prefixes(4), *space.prefixes(6))) + "\n\n")
    with (folder / "ports.svc").open("w") as out:
        for (first, last), name in ports.items():
            out.write(f"{name} = {first}-{last}/tcp\n  {first}-{last}/udp\n")
    policy = folder / "flows.pol"
    policy.write_text("header {\n  target:: nftables mixed INPUT\n}\n" + "".join(terms))
    return policy


def _term(number: int, flow: Flow, networks: dict[PrefixSet, str], ports: dict[tuple[int, int], str]) -> str:
    source, destination = (networks.setdefault(end.space, f"N{len(networks)}") for end in flow.ends)
    return (
        f"term t{number} {{\n  source-address:: {source}\n  destination-address:: {destination}\n"
        f"{_services(flow.services, ports)}  action:: {'accept' if flow.action == 'allow' else 'deny'}\n}}\n"
    )


def _services(services: ServiceSet, ports: dict[tuple[int, int], str]) -> str:
    if services == ANY_SERVICE:
        return ""
    names = [ports.setdefault(pair, f"P{len(ports)}") for _, values in services.parts for pair in values]
    protocols = (PROTOCOLS[protocol] for protocol, _ in services.parts)
    return f"  destination-port:: {' '.join(dict.fromkeys(names))}\n  protocol:: {' '.join(protocols)}\n"
