"""The live half of `segc verify`: the kernel against what was confirmed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segc.cli.standing import at_work, standing
from segc.cli.terminal import emit, say
from segc.diagnostics.measure import printable

if TYPE_CHECKING:
    from segc.apply.drift import Drift
    from segc.apply.generation import Generation
    from segc.apply.state import State
    from segc.sessions.vouching import People

DRIFTED = 3
SHOWN = 20


def verify_host(netns: str, state_dir: str, heal: bool, format_: str, agent: Path) -> int:
    """Tell in what the host differs from the generation that stands, and with `heal` put it right; the
    exit code. `agent` is where the session agent listens. ClickException where nothing was applied."""
    from segc.sessions.vouching import compare, refill

    with (at_work if heal else standing)(netns, state_dir) as state:
        generation = _standing(state)
        found = _drift(generation)
        people = compare(state, generation, agent)
        found = _with_people(generation, found, people)
        if found.mendable and heal:
            _heal(state, generation)
            refill(state, generation, agent, people.strays)
    if format_ == "json":
        emit(json.dumps(_document(generation, found, heal, people), indent=2) + "\n")
    else:
        say(_text(generation, found, heal))
    return DRIFTED if found.gone or (found and not heal) else 0


def _standing(state: State) -> Generation:
    """What was confirmed, or what waits for that."""
    from segc.apply.errors import ApplyError

    generation = state.at("current") or state.at("confirmed")
    if generation is None:
        raise ApplyError("nothing has been applied here: there is nothing to compare with")
    return generation


def _drift(generation: Generation) -> Drift:
    from pyroute2 import IPRoute

    from segc.apply.connections import policy_of
    from segc.apply.drift import drift

    with IPRoute() as links:
        return drift(generation, policy_of(generation.sources()), links)


def _with_people(generation: Generation, found: Drift, people: People) -> Drift:
    """Where there is no table, nobody counts as anybody: that is said already."""
    from segc.apply.connections import policy_of
    from segc.sessions.stray import meaning

    if not people.strays or not found.table:
        return found
    told = meaning(people.strays, generation, policy_of(generation.sources()))
    changes = (*found.changes, *(each.change for each in people.strays))
    return found._replace(changes=changes, meaning=(*told, *found.meaning))


def _heal(state: State, generation: Generation) -> None:
    from pyroute2 import IPRoute

    from segc.apply.connections import at_home, cut, policy_of
    from segc.apply.heal import heal

    with IPRoute() as links:
        heal(state, generation, links)
        cut(at_home(policy_of(generation.sources()), generation.meta.node, links))


def _text(generation: Generation, found: Drift, healed: bool) -> str:
    from segc.apply.drift import change_words

    name = f"{generation.meta.node}: "
    absent = [f"  {each} is not there, and so was not compared" for each in found.absent]
    if not found:
        lines = [f"{name}the kernel is as generation {generation.number} left it", *absent]
        return "".join(f"{line}\n" for line in lines)
    lines = [f"{name}the kernel is not as generation {generation.number} left it"]
    lines += [f"  {each}" for each in found.meaning[:SHOWN]]
    lines += [f"  {each} is gone: it was there when that was applied" for each in found.gone]
    details = [words for each in found.changes for words in change_words(each, found.rules)]
    details += [f"links: {each.what}" for each in found.steps]
    lines += [f"  {printable(each)}" for each in details[:SHOWN]]
    if len(details) > SHOWN:
        lines.append(f"  and {len(details) - SHOWN} more; `--format json` has them")
    lines += absent
    if found.mendable:
        rest = f"{'the rest' if found.gone else 'all'} of it has been put right"
        lines.append(rest if healed else "`segc verify --heal` puts it right")
    if found.gone:
        lines.append(
            "what is gone nobody but you can bring back: give it its name again, or take it out of the policy"
        )
    return "".join(f"{line}\n" for line in lines)


def _document(generation: Generation, found: Drift, healed: bool, people: People) -> dict[str, Any]:
    """See `segc/schemas/verify.schema.json`."""
    return {
        "node": generation.meta.node,
        "generation": generation.number,
        "table": found.table,
        "drift": bool(found),
        "healed": found.mendable and healed,
        "meaning": list(found.meaning),
        "changes": [each._asdict() for each in found.changes],
        "links": [{"device": each.device, "step": each.what} for each in found.steps],
        "absent": list(found.absent),
        "gone": list(found.gone),
        "vouched_by": people.by or None,
    }
