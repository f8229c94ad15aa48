"""What it costs to prove a ruleset, beside what it costs to compile it.

python -m tests.bench.proof [ZONES FLOWS]...
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from segc import compile, workspace
from segc.proof.findings import differences
from segc.proof.text import read_text
from tests.bench.policy import generate, write_segc

SIZES = ((200, 5000), (1000, 50000))


def main(arguments: list[str]) -> None:
    numbers = [int(each) for each in arguments]
    for zones, flows in list(zip(numbers[::2], numbers[1::2], strict=True)) or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _measure(zones, flows, Path(folder))


def _measure(zones: int, flows: int, folder: Path) -> None:
    """CPU seconds of this process, the proof within `build` taken off what compiling costs."""
    write_segc(generate(zones, flows), folder)
    started = time.process_time()
    found = workspace.load([str(folder)])
    policy = compile.check(found.files).policy
    built = compile.build(policy, found.files)
    whole = time.process_time() - started
    text = next(each.text for each in built.artifacts if each.name == "ruleset.nft")
    gateway = next(iter(policy.gateways.values()))
    started = time.process_time()
    read_text(text)
    reading = time.process_time() - started
    started = time.process_time()
    assert differences(policy, gateway, text) == []
    proof = time.process_time() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = f"compile {whole - proof:.2f} s, proof {proof:.2f} s, {reading:.2f} s of it reading"
    print(f"{zones} zones, {flows} flows: {times}; {proof / (whole - proof):.2f} x; {memory:.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
