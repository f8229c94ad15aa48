"""The guard: nothing here changes a network namespace that the tests did not make themselves."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.netns.namespace import NAMES, PREFIX, Namespace, NotThrowawayError, ip_batch, nft, run, sysctl

CHANGES: list[Callable[[], object]] = [
    lambda: nft("table inet segc_test_guard { }\n"),
    lambda: ip_batch(["link add segc-test-a type veth peer name segc-test-b"]),
    lambda: sysctl(ipv4__icmp_ratelimit=1000),
]
EACH = pytest.mark.parametrize("change", CHANGES, ids=["nft", "ip", "sysctl"])


@EACH
def test_refused_at_home(change: Callable[[], object]) -> None:
    with pytest.raises(NotThrowawayError):
        change()


@EACH
def test_refused_in_a_namespace_object_that_is_home(change: Callable[[], object]) -> None:
    home = Namespace(os.open("/proc/self/ns/net", os.O_RDONLY))
    with pytest.raises(NotThrowawayError):
        home.call(change)
    with pytest.raises(NotThrowawayError):
        run(home, ["true"])
    os.close(home.fd)


@EACH
def test_refused_in_a_namespace_of_somebody_else(change: Callable[[], object]) -> None:
    namespace = Namespace.create()
    stranger = Namespace(os.dup(namespace.fd))
    namespace.close()
    with pytest.raises(NotThrowawayError):
        stranger.call(change)
    os.close(stranger.fd)


@EACH
def test_allowed_in_one_of_ours(change: Callable[[], object]) -> None:
    namespace = Namespace.create()
    namespace.call(change)
    namespace.close()


def test_a_name_for_programs_that_want_one() -> None:
    abandoned = NAMES / f"{PREFIX}999999999-3"
    namespace = Namespace.create()
    try:
        abandoned.touch()
        with namespace.named() as name:
            assert name.startswith(PREFIX)
            assert not abandoned.exists()
            inside = run(namespace, ["readlink", "/proc/self/ns/net"]).stdout
            assert inside == f"net:[{(NAMES / name).stat().st_ino}]\n"
            assert (NAMES / name).stat().st_ino == os.fstat(namespace.fd).st_ino
        assert not (NAMES / name).exists()
    except PermissionError:
        pytest.skip("mounting is denied here")
    finally:
        namespace.close()
