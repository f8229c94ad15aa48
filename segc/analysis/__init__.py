"""The checks of a resolved policy, one a file. A new one is a file and a line in `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from segc.analysis.addresses import check_addresses
from segc.analysis.conflicts import check_conflicts
from segc.analysis.expectations import check_tests
from segc.analysis.identity import check_identity
from segc.analysis.masking import check_masking
from segc.analysis.multicast import check_multicast
from segc.analysis.onward import check_onward
from segc.analysis.placement import check_placement
from segc.analysis.promises import check_nevers, check_workflows
from segc.analysis.segmentation import check_segmentation
from segc.analysis.sight import check_sight
from segc.analysis.topology import check_topology
from segc.analysis.translation import check_translation
from segc.diagnostics.model import Diagnostic
from segc.policy.model import Policy

Check = Callable[[Policy], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (
    check_topology,
    check_addresses,
    check_placement,
    check_sight,
    check_translation,
    check_masking,
    check_onward,
    check_multicast,
    check_conflicts,
    check_tests,
    check_nevers,
    check_workflows,
    check_identity,
    check_segmentation,
)
