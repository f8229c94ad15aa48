"""What the difference of two policies costs beside the conflict checks of one of them.

    python -m tests.bench.plan 100000 [EDITS] [WIDE]

Reading and resolving are apart; wording and witnesses are in. The policy is that of `tests.bench.analysis`.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time

from segc.analysis.conflicts import check_conflicts
from segc.plan.access import access_changes
from tests.bench.analysis import generate, policy_of


def edited(text: str, edits: int, seed: int = 2) -> str:
    """A third of the edits take a flow out, a third add one, a third change the services of one."""
    rng = random.Random(seed)
    lines = text.splitlines()
    flows = [n for n, line in enumerate(lines) if line.startswith(("allow ", "deny "))]
    for count, number in enumerate(rng.sample(flows, edits)):
        ends, _, services = lines[number].partition(" : ")
        if count % 3 == 0:
            lines[number] = ""
        elif count % 3 == 1:
            lines[number] = f"{ends} : s{rng.randrange(60)}, {services}"
        else:
            lines.append(lines[rng.choice(flows)].partition(" : ")[0] + f" : s{rng.randrange(60)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    flows = int(sys.argv[1])
    edits = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    wide = float(sys.argv[3]) if len(sys.argv) > 3 else 0.05
    text = generate(flows, wide)
    before, after = policy_of(text), policy_of(edited(text, edits))
    gc.disable()  # as the commands do
    difference, found = _seconds(lambda: access_changes(before, after, ({}, {}))[0])
    analysis, _ = _seconds(lambda: list(check_conflicts(after)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{flows} flows, {wide:.0%} wide, {edits} edits: {len(found)} changes in {difference:.2f} CPU-s; "
        f"conflict checks {analysis:.2f} CPU-s: {difference / analysis:.2f} x (at most 0.1); {peak} MiB"
    )


def _seconds(work):
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


if __name__ == "__main__":
    main()
