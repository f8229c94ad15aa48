"""Who is to be in sets of people from the moment on that these are made.

The agent would fill them a moment later: in that moment, connections of these people would be asked about and
reset.

python -m segc.sessions.seats STATE NUMBER [all]      what `revert.sh` adds for the generation it goes back to
"""

from __future__ import annotations

import sys
from pathlib import Path

from segc.apply.errors import ApplyError
from segc.apply.generation import Generation
from segc.apply.state import State
from segc.sessions import clock
from segc.sessions.kernel import Kernel
from segc.sessions.resuming import stored_sessions
from segc.sessions.stray import book_of


def seats(state: State, generation: Generation, *, anew: bool = False) -> str:
    """Commands that fill sets of a generation that the kernel does not have yet, or with `anew` all of them.
    Nobody where that cannot be known: then the agent lets them in."""
    try:
        book, kernel, now = book_of(generation), Kernel(), clock.now()
        new = set(book.sets) - (set() if anew else kernel.layout().names())
        kernel.close()
        found = stored_sessions(state, book, now) if new else []
    except (ApplyError, OSError):
        return ""
    places = {place: until for each in found for place, until in each.elements() if place[0] in new}
    return "".join(
        f"add element inet segc {name} {{ {address} timeout {int(until - now.boot)}s }}\n"
        for (name, address), until in places.items()
        if until - now.boot >= 1
    )


def main(root: str, number: str, which: str = "") -> None:
    state = State(Path(root))
    sys.stdout.write(seats(state, state.generation(int(number)), anew=which == "all"))


if __name__ == "__main__":
    main(*sys.argv[1:])
