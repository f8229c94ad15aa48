"""The former state that `segc plan` compares with: a host, a build, or a Git revision."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import click

from segc import manifest, workspace
from segc.apply.ruleset import read_ruleset
from segc.apply.state import State
from segc.apply.step import Step
from segc.backends.artifact import Artifact
from segc.cli.folder import inside, listed, text_of
from segc.compile import build
from segc.diagnostics.model import Severity
from segc.document import DocumentError
from segc.frozen import frozen
from segc.plan.items import Items, file_changes, link_changes, state_digest, table_changes
from segc.plan.make import Told
from segc.plan.model import Action, Change, Cut, NodePlan
from segc.plan.revision import RevisionError, UnknownRevisionError, read_revision
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.space.services import one_service
from segc.workspace import Workspace
from segc.workspace.paths import is_folder, shown

EXAMPLES = 5
Files = Mapping[str, Mapping[str, str]]  # text by file name by node


@frozen
class Former:
    """`told` is None where no policy of it is known; `state` is its digest, `nodes` what changes; `cut` are
    connections that would end by it, and `absent` devices that nothing could be set up on. Of a host, `steps`
    would set up its links, `bare` says why no table decides there, empty where one does, and `warnings` are
    what to know before an apply."""

    kind: str
    name: str
    told: Told | None
    state: str
    nodes: tuple[NodePlan, ...]
    cut: Cut | None = None
    absent: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    bare: str = ""
    warnings: tuple[str, ...] = ()


def by_node(artifacts: Sequence[Artifact]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for artifact in artifacts:
        found.setdefault(artifact.node, {})[artifact.name] = artifact.text
    return found


# -- a build or a revision -------------------------------------------------------------------------------


def is_build(name: str) -> bool:
    """Whether a node's manifest lies in the folder; one of something else is no reason not to ask Git."""
    return is_folder(name) and any(map(_names, Path(name).glob(f"*/{manifest.FILE}")))


def former_build(folder: str, wanted: Files) -> Former:
    """What `segc compile -o` wrote. ClickException where it cannot be read."""
    found = {path.parent.name: _listed(path) for path in sorted(Path(folder).glob(f"*/{manifest.FILE}"))}
    texts = next((held for files in found.values() if (held := _policy(files))), None)
    told = _told(workspace.of_texts(texts), f"the build `{folder}`") if texts else None
    name = sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    try:
        return Former("build", folder, told, name, _nodes(found, wanted))
    except DocumentError:
        raise click.ClickException(f"`{folder}` is not as `segc compile` wrote it") from None


def _names(path: Path) -> frozenset[str]:
    return listed(path) - {manifest.FILE}


def _listed(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        digests = manifest.digests(text_of(path)) or {}
        found = {name: text_of(inside(path.parent, name)) for name in sorted(digests)}
        if found and digests == {name: sha256(text.encode()).hexdigest() for name, text in found.items()}:
            return found
    raise click.ClickException(f"`{path.parent}` is not as `segc compile` wrote it")


def _policy(files: Mapping[str, str]) -> dict[str, str]:
    own = manifest.POLICY
    return {name.removeprefix(own): text for name, text in files.items() if name.startswith(own)}


def former_revision(
    revision: str, paths: Sequence[str], wanted: Files, tell: Callable[[str], None]
) -> Former:
    """What the policy was in a Git revision. ClickException where that cannot be read or compiled."""
    tell(f"reading {revision}")
    try:
        commit, found = read_revision(revision, paths or ["."])
    except UnknownRevisionError as error:
        folder = "a folder, but no build of" if is_folder(revision) else "no build of"
        raise click.ClickException(
            f"`{shown(revision)}` is {folder} `segc compile -o`, and {error}"
        ) from None
    except RevisionError as error:
        raise click.ClickException(str(error)) from None
    told = _told(found, f"the policy of `{revision}`")
    built = build(told.policy, found.files, found.memo, tell, proving=False)
    return Former("revision", revision, told, commit, _nodes(by_node(built.artifacts), wanted))


def _told(found: Workspace, what: str) -> Told:
    """A former policy has to be sound to be compared with, but what its checks say is of no interest now."""
    policy, diagnostics = resolve([file for _, file in found.files], found.memo)
    errors = [d for d in (*found.diagnostics, *diagnostics) if d.severity is Severity.ERROR]
    if errors:
        where = f" ({errors[0].primary.span.place})" if errors[0].primary else ""
        raise click.ClickException(f"{what} has errors, the first: {errors[0].message}{where}")
    return Told(policy, tuple(source for source, _ in found.files))


def _nodes(former: Files, wanted: Files) -> tuple[NodePlan, ...]:
    names = sorted(former.keys() | wanted.keys())
    return tuple(NodePlan(name, _changes(former.get(name, {}), wanted.get(name, {}))) for name in names)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    tables = [text_items(files.get("ruleset.nft", "")) for files in (before, after)]
    links = link_changes(before.get("links.json"), after.get("links.json"))
    return (*table_changes(*tables), *links, *file_changes(before, after))


def text_items(ruleset: str) -> Items:
    """The items of an emitted ruleset, without comments."""
    read = read_ruleset(ruleset)
    found = {(keyword, name, ""): body for (keyword, name), body in read.objects.items()}
    for name, each in read.sets.items():
        found[each.keyword, name, ""] = "; ".join(each.definition)
        found |= {("element", name, element): "" for element in each.elements}
    for name, chain in read.chains.items():
        found["chain", name, ""] = chain.hook
        found["rules", name, ""] = json.dumps(chain.meaning)
    return found


# -- a host ----------------------------------------------------------------------------------------------


def former_host(name: str, state: State, node: str, wanted: Mapping[str, str]) -> Former:
    """What stands in the network namespace that we are in: reads, and changes nothing there. ApplyError."""
    from pyroute2 import IPRoute

    from segc.apply import live
    from segc.apply.links import link_steps, read_plan
    from segc.apply.seen import observe

    current = state.intact("current")
    had = current.artifact("links.json") if current else None
    found = live.items()
    with IPRoute() as links:
        plan = read_plan(wanted["links.json"]) if "links.json" in wanted else None
        former = read_plan(had) if had else None
        steps, absent = link_steps(plan, observe(links), former) if plan else ([], [])
    done = [f"{step.device} {step.what}" for step in steps]
    changes = table_changes(found, live.items_of(wanted["ruleset.nft"]))
    changes += tuple(Change(Action.ADD, "link", step.device, "", step.what) for step in steps)
    told = _told(workspace.of_texts(current.sources()), "the policy in force") if current else None
    return Former(
        "live",
        name,
        told,
        state_digest(found, done),
        (NodePlan(node, changes),),
        absent=tuple(absent),
        steps=tuple(steps),
        bare="" if found else live.absence(),
    )


def warnings(former: Former, policy: Policy, state: State, node: str) -> tuple[str, ...]:
    """What to know before this policy is applied to the host that we are on, and that `former` is of."""
    from pyroute2 import IPRoute

    from segc.apply.connections import at_home
    from segc.apply.guard import refusals

    with IPRoute() as links:
        here = at_home(policy, node, links)
        found = refusals(state, here, node, links, former.steps, former.absent)
    bare = [f"nothing is enforced here now: {former.bare}"] if former.bare else []
    return (*bare, *(f"`segc apply` would refuse this (SEG601): {each.message}" for each in found))


def would_cut(policy: Policy, node: str) -> Cut | None:
    """The connections of the network namespace that we are in which this policy ends."""
    from pyroute2 import IPRoute

    from segc.apply.connections import at_home, forbidden

    with IPRoute() as links:
        here = at_home(policy, node, links)
    try:
        found = [
            f"{each.source} -> {each.destination} {one_service(each.protocol, each.value)}"
            for each in forbidden(here, int(time.time()))
        ]
    except OSError:
        return None
    return Cut(len(found), tuple(sorted(set(found))[:EXAMPLES]))
