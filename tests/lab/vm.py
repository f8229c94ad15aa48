"""Run a command as root under Debian's kernel in a virtual machine, emulated, so without KVM.

The guest's root is the host's, read-only over 9p, with a layer in memory above it: programs, the repository
and its virtual environment are at their usual paths, and no write reaches the host. The only writable share
holds the command and its outcome.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.initrd import BOOT, BUSYBOX, build_initrd

REPOSITORY = Path(__file__).parents[2]
CACHE = REPOSITORY / ".cache/lab"
QEMU = "qemu-system-x86_64"
SHELL_INIT = "/bin/sh,/run/lab/job.sh"
SYSTEMD = "/lib/systemd/systemd"
# Units that wait for hardware, reach for the network, or cost seconds and are of no use here.
MASKED = (
    *("timers.target", "systemd-timesyncd.service", "systemd-firstboot.service", "systemd-sysusers.service"),
    *("systemd-hwdb-update.service", "systemd-update-utmp.service", "ldconfig.service", "apparmor.service"),
    # These would empty /tmp, or cover it, where the checkout may be.
    *("systemd-tmpfiles-setup.service", "tmp.mount"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "systemd-pstore.service"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *(f"modprobe@{name}.service" for name in ("configfs", "dm_mod", "drm", "efi_pstore", "fuse", "loop")),
)
MACHINE_ID = "5e9c" * 8


class LabError(Exception):
    """The lab itself failed: it is not set up, or the guest died, hung or ran out of time."""


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """A command's outcome: `output` is stdout and stderr together; `log` is the guest kernel's."""

    exit_code: int
    output: str
    log: str
    boot_seconds: float


def run_in_vm(
    argv: Sequence[str],
    timeout: float,
    *,
    systemd: bool = False,
    env: Mapping[str, str] | None = None,
    share: Path | None = None,
    memory: str = "1G",
) -> CompletedRun:
    """Boot, run `argv` in the repository's folder, and power off.

    `timeout` is in seconds and includes the boot. Process 1 is a shell script, or systemd in `basic.target`
    if asked. `share` is a folder that the guest sees, writable, at /run/lab; by default a temporary one.
    Raises LabError where no exit code came back.
    """
    kernel = find_kernel(systemd)
    with tempfile.TemporaryDirectory(prefix="segc-lab-") as name:
        share = share or Path(name, "share")
        share.mkdir(parents=True, exist_ok=True)
        write_job(share, argv, env or {})
        initrd, serial = Path(name, "initrd.gz"), Path(name, "serial")
        build_initrd(kernel / "lib/modules" / release(kernel), initrd)
        command = qemu_command(kernel, initrd, share, serial, systemd=systemd, memory=memory)
        why = boot(command, timeout)
        if not (share / "exit_code").exists():
            raise LabError(f"{why}\n{tail(share / 'output')}\n{tail(serial)}")
        return completed(share)


def find_kernel(systemd: bool) -> Path:
    """The unpacked kernel package; LabError names everything that is missing and how to get it."""
    missing = [name for name in (QEMU, "cpio", "ip", "nft", "modprobe") if not shutil.which(name)]
    missing += [str(BUSYBOX)] * (not BUSYBOX.exists()) + [SYSTEMD] * (systemd and not Path(SYSTEMD).exists())
    kernel = CACHE / "kernel"
    missing += ["the lab's kernel"] * (not (kernel / "complete").exists())
    if missing:
        raise LabError(f"the lab lacks {', '.join(missing)}: run `make lab-setup` as root")
    return kernel.resolve()


def release(kernel: Path) -> str:
    return next((kernel / "lib/modules").iterdir()).name


def write_job(share: Path, argv: Sequence[str], env: Mapping[str, str]) -> None:
    shutil.copytree(BOOT / "units", share / "units", dirs_exist_ok=True)
    shutil.copy(BOOT / "job.sh", share)
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    job = [*exports, f"cd {shlex.quote(str(REPOSITORY))}\n", f"{shlex.join(argv)}\n"]
    (share / "command").write_text("".join(job))


def qemu_command(
    kernel: Path, initrd: Path, share: Path, serial: Path, *, systemd: bool, memory: str
) -> list[str]:
    options = ["console=ttyS0", "quiet", "loglevel=4", "panic=-1", "sysrq_always_enabled", "mitigations=off"]
    # Programs at the same addresses each time let the emulator reuse what it has translated: 3 x faster.
    options += ["norandmaps"]
    options += [f"lab.modules={kernel / 'lib/modules'}", *init_options(systemd)]
    # One processor: emulated, a second one costs half as much again in waiting for each other.
    return [
        *(QEMU, "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", memory),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-serial", f"file:{serial}"),
        *("-kernel", str(kernel / "boot" / f"vmlinuz-{release(kernel)}"), "-initrd", str(initrd)),
        *("-append", " ".join(options)),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        *("-virtfs", f"local,path={share},mount_tag=lab,security_model=none"),
    ]


def init_options(systemd: bool) -> Iterator[str]:
    if not systemd:
        yield f"lab.init={SHELL_INIT}"
        return
    yield f"lab.init={SYSTEMD}"
    yield f"systemd.unit=lab.target fstab=no systemd.gpt_auto=no systemd.machine_id={MACHINE_ID}"
    yield from (f"systemd.mask={unit}" for unit in MASKED)


def boot(command: list[str], timeout: float) -> str:
    """Run qemu to its end or for `timeout` seconds; the answer says how it ended, for an error message."""
    try:
        done = subprocess.run(
            command, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"the virtual machine did not finish within {timeout:g} s"
    return f"the virtual machine ended early with status {done.returncode}\n{done.stderr}"


def completed(share: Path) -> CompletedRun:
    read = {name: (share / name).read_text(errors="replace") for name in ("exit_code", "output", "dmesg")}
    seconds = float((share / "boot_seconds").read_text())
    return CompletedRun(int(read["exit_code"]), read["output"], read["dmesg"], seconds)


def tail(path: Path, lines: int = 60) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""
