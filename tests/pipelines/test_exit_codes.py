"""The exit codes, from a shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel


def test_every_exit_code_from_a_shell(program: dict[str, str]) -> None:
    script = Path(__file__).with_name("exit_codes.sh")
    done = subprocess.run([script], env=program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"^ok (\d):", done.stdout, re.MULTILINE)) == set("0123456")
