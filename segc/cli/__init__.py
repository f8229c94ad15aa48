"""The `segc` command, one file a command: parse arguments, call, print."""

import gc
import sys


def main() -> None:
    """The entry point; does not return."""
    try:
        from segc.cli.app import segc
        from segc.cli.terminal import open_missing
    except KeyboardInterrupt:
        sys.exit(128 + 2)

    # Policies hold no cycles and a command soon ends, but looking for cycles among millions of objects
    # would take longer than compiling them.
    gc.disable()
    open_missing()
    segc.main(prog_name="segc")
