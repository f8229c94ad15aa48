"""The `segc` command, one file a command: parse arguments, call, print."""

import atexit
import gc
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """The entry point."""
    # Policies hold no cycles and a command soon ends, but looking for cycles among millions of objects
    # would take longer than compiling them.
    gc.disable()
    try:
        from segc.cli.app import segc
        from segc.cli.terminal import open_missing
    except KeyboardInterrupt:
        sys.exit(128 + 2)
    open_missing()
    try:
        segc.main(prog_name="segc")
    except SystemExit as ended:
        _leave(ended)


def _leave(ended: SystemExit) -> NoReturn:
    """End at once: taking all those objects apart one by one would be an eighth of a second compile.

    What the exception went through is held by it until here.
    """
    from segc.cli.terminal import abandon

    if not isinstance(ended.code, int):
        raise ended
    atexit._run_exitfuncs()
    abandon()
    os._exit(ended.code)
