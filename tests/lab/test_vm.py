"""The lab itself: outcomes come back as they were, also bad ones, and the host is left alone."""

import sys
from pathlib import Path

import pytest

from tests.lab.initrd import load_order
from tests.lab.relay import read_reports, run_guest_tests
from tests.lab.vm import LabError, find_kernel, release, run_in_vm

SPECIMENS = Path(__file__).parent / "guest/specimens/broken.py"


def test_exit_code_and_output_come_back() -> None:
    program = "import os, sys; print(os.getuid(), os.environ['WORD']); sys.exit(7)"
    run = run_in_vm([sys.executable, "-c", program], 180, env={"WORD": "it's $HOME"})
    assert run.exit_code == 7
    assert run.output == "0 it's $HOME\n"
    assert "Linux version 6.1." in run.log
    assert 0 < run.boot_seconds < 180


def test_every_end_of_a_guest_test_is_told(tmp_path: Path) -> None:
    names = ("passes", "fails", "skips", "writes_to_the_host", "kills_the_machine")
    remark = run_guest_tests([f"{SPECIMENS}::test_{name}" for name in names], tmp_path)
    reports = {key.rpartition("test_")[2]: phases for key, phases in read_reports(tmp_path).items()}
    ends = {name: [phase["outcome"] for phase in reports[name]] for name in names}
    assert ends == {
        "passes": ["passed", "passed", "passed"],
        "fails": ["passed", "failed", "passed"],
        "skips": ["passed", "skipped", "passed"],
        "writes_to_the_host": ["passed", "passed", "passed"],
        "kills_the_machine": ["passed"],
    }
    assert "sysrq triggered crash" in remark
    assert not SPECIMENS.with_suffix(".written").exists()


def test_a_guest_that_hangs_is_ended() -> None:
    with pytest.raises(LabError, match="did not finish within 5 s"):
        run_in_vm(["sleep", "600"], 5)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError, match=r"lacks qemu-system-x86_64, .*: run `make lab-setup` as root"):
        find_kernel(systemd=False)


def test_an_unknown_module_is_an_error() -> None:
    kernel = find_kernel(systemd=False)
    with pytest.raises(LookupError, match="no_such_module"):
        load_order(kernel / "lib/modules" / release(kernel), ("no_such_module",))
