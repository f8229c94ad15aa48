"""Run by the Python that has Aerleon: what parsing a policy costs, and what its shade check costs.

    python shade.py DEFINITIONS POLICY

Prints terms, CPU seconds to parse, CPU seconds of the shade check, terms found shaded. It is the check of
`aclgen --shade_check`, called apart from the parsing so that each has its own figure.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(definitions: str, policy_file: str) -> None:
    from aerleon.lib import naming, policy

    started = time.process_time()
    parsed = policy.ParsePolicy(Path(policy_file).read_text(), naming.Naming(definitions), optimize=False)
    parsing = time.process_time() - started
    shaded: set[str] = set()
    policy.logging.warning = lambda message: shaded.add(message.split()[0])
    started = time.process_time()
    for _, terms in parsed.filters:
        parsed._DetectShading(terms)
    checking = time.process_time() - started
    print(len(terms), parsing, checking, len(shaded))


if __name__ == "__main__":
    main(*sys.argv[1:])
