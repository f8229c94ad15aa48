"""Build the lab's initial ramdisk: busybox, the first process, and modules to reach the host's files."""

import gzip
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

BOOT = Path(__file__).parent / "boot"
BUSYBOX = Path("/bin/busybox")
# virtio's core first: on some kernels its users do not name it as a dependency.
MODULES = ("virtio_ring", "virtio", "virtio_pci", "9pnet", "9pnet_virtio", "9p", "overlay")


def build_initrd(modules: Path, target: Path) -> None:
    """Write a gzipped cpio archive to `target`; `modules` is a /lib/modules/<release>, indexed by depmod."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        for folder in ("bin", "dev", "proc", "sys", "modules"):
            (tree / folder).mkdir()
        shutil.copy(BUSYBOX, tree / "bin/busybox")
        shutil.copy(BOOT / "initramfs.sh", tree / "init")
        (tree / "init").chmod(0o755)
        order = load_order(modules, MODULES)
        for path in order:
            shutil.copy(modules / path, tree / "modules" / Path(path).name)
        (tree / "modules/order").write_text("".join(f"{Path(path).name}\n" for path in order))
        target.write_bytes(gzip.compress(archive(tree), compresslevel=1))


def archive(tree: Path) -> bytes:
    """The folder as a cpio archive in the `newc` format, the only one the kernel unpacks."""
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    cpio = ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"]
    return subprocess.run(cpio, input=names.encode(), stdout=subprocess.PIPE, cwd=tree, check=True).stdout


def load_order(modules: Path, wanted: tuple[str, ...]) -> list[str]:
    """Paths under `modules` of the wanted modules and all they need, dependencies first.

    Modules built into the kernel are left out; an unknown one is a LookupError.
    """
    needs = dict(dependencies(modules))
    paths = {Path(path).stem: path for path in needs}
    builtin = {Path(line).stem for line in (modules / "modules.builtin").read_text().splitlines()}
    order: list[str] = []
    for name in wanted:
        if name in builtin:
            continue
        if name not in paths:
            raise LookupError(f"kernel module {name} is not in {modules}")
        # modules.dep lists a module's dependencies with the deepest last.
        order += [*reversed(needs[paths[name]]), paths[name]]
    return list(dict.fromkeys(order))


def dependencies(modules: Path) -> Iterator[tuple[str, list[str]]]:
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        yield path, needs.split()
