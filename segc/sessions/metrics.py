"""Figures in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0)  # seconds


class Figure(NamedTuple):
    name: str
    kind: str  # counter, gauge
    help: str
    values: Mapping[tuple[tuple[str, str], ...], float]  # by labels


class Metrics:
    """Counts since the agent started."""

    def __init__(self) -> None:
        self.events: Counter[tuple[tuple[str, str], ...]] = Counter()
        self._took = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, action: str, outcome: str) -> None:
        self.events[("action", action), ("outcome", outcome)] += 1

    def took(self, seconds: float) -> None:
        """How long a bind took."""
        self._seconds += seconds
        self._took[next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))] += 1

    def text(self, gauges: Iterable[Figure]) -> str:
        events = Figure("segc_session_events_total", "counter", "What happened to sessions.", self.events)
        lines = [line for figure in (events, *gauges) for line in _lines(figure)]
        return "".join(f"{line}\n" for line in (*lines, *self._histogram()))

    def _histogram(self) -> Iterator[str]:
        name = "segc_session_bind_seconds"
        yield f"# HELP {name} From a request to bind until its answer."
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._took, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {total}"


def gauge(name: str, help_: str, value: float, **labels: str) -> Figure:
    return Figure(name, "gauge", help_, {tuple(sorted(labels.items())): value})


def _lines(figure: Figure) -> Iterator[str]:
    yield f"# HELP {figure.name} {figure.help}"
    yield f"# TYPE {figure.name} {figure.kind}"
    for labels, value in sorted(figure.values.items()):
        inner = ",".join(f'{name}="{_escaped(each)}"' for name, each in labels)
        yield f"{figure.name}{{{inner}}} {value:g}" if inner else f"{figure.name} {value:g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
