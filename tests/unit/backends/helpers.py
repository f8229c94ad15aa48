"""Policies for tests of backends, and programs that they are proved by."""

import shutil
from pathlib import Path

from segc.backends import Backend, Output, Target
from segc.diagnostics.model import Severity
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.workspace import load

SAMPLES = Path(__file__).parents[3] / "samples"
NAMES = ("office", "clinic", "retail", "minimal.seg")


def require(program: str, package: str) -> str:
    """The path of a program that a test cannot do without; the test fails with how to get it."""
    path = shutil.which(program) or (program if Path(program).is_file() else None)
    assert path, f"`{program}` is missing: apt-get install {package}"
    return path


def sample(name: str) -> Policy:
    return resolve([file for _, file in load([str(SAMPLES / name)]).files])[0]


def policy(text: str) -> Policy:
    """A policy from its text, which must be without error."""
    file, syntax = parse(SourceFile("policy.seg", text))
    found, names = resolve([file])
    errors = [each.message for each in (*syntax, *names) if each.severity is Severity.ERROR]
    assert not errors, errors
    return found


def emitted(backend: Backend, of: Policy) -> Output:
    return backend(Target(of, "0" * 64, lambda span: span.place))


def files(backend: Backend, of: Policy) -> dict[str, str]:
    """What a backend writes for a policy that it can express, by `node/name`."""
    output = emitted(backend, of)
    assert all(each.code == "SEG504" for each in output.diagnostics)
    return {f"{artifact.node}/{artifact.name}": artifact.text for artifact in output.artifacts}


def complaints(backend: Backend, text: str) -> list[tuple[str, str, str]]:
    """Code, message and underlined text of what a backend finds."""
    found = emitted(backend, policy(text)).diagnostics
    spans = [each.primary.span for each in found if each.primary]
    assert len(spans) == len(found)
    return [
        (each.code, each.message, text[span.start : span.end])
        for each, span in zip(found, spans, strict=True)
    ]
