"""A test under guest/ is never run on the host: the lab runs it, and its reports are replayed here."""

import os

import pytest

from tests.lab.recorder import REPORTS
from tests.lab.relay import in_guest_folder, relay


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "systemd: in the lab, needs systemd as process 1")


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("lab")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    # pytest asks this of every item of a session, not only of those below this folder.
    if REPORTS in os.environ or not in_guest_folder(item):
        return None
    relay(item)
    return True
