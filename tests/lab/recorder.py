"""pytest plugin loaded in the guest: each report goes to the share as it is made, one JSON object a line."""

import json
import os
from pathlib import Path

import pytest

REPORTS = "SEGC_LAB_REPORTS"


class Recorder:
    def __init__(self, config: pytest.Config, target: Path) -> None:
        self.config = config
        self.target = target

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        with self.target.open("a") as file:
            file.write(json.dumps(data) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(config, Path(os.environ[REPORTS])))
