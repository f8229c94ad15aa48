import pytest

from tests.lab.relay import pytest_configure

__all__ = ["pytest_configure"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("lab")
