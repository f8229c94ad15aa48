"""Network namespaces and cables between them, for tests in the guest."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

FORWARDING = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"


def sh(commands: str, namespace: str = "", stdin: str | None = None) -> str:
    """Run shell commands; their stdout, or an AssertionError with what they said as soon as one fails."""
    inside = ["nsenter", f"--net=/run/netns/{namespace}"] * bool(namespace)
    done = subprocess.run([*inside, "sh", "-ec", commands], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str

    def run(self, commands: str) -> str:
        return sh(commands, self.name)

    def nft(self, ruleset: str) -> None:
        sh("nft -f -", self.name, stdin=ruleset)

    def reaches(self, address: str, device: str = "", seconds: int = 5) -> bool:
        """Whether a ping is answered in that time; `device` is ping's -I, an interface or source address."""
        through = f"-I {device}" * bool(device)
        ping = f"nsenter --net=/run/netns/{self.name} ping -n -q -c 1 -i 0.2 -w {seconds} {through} {address}"
        return subprocess.run(ping.split(), capture_output=True).returncode == 0

    def cut_off_from(self, address: str, device: str = "") -> bool:
        """Whether two seconds of pings go unanswered; proves something only on wires that carry others."""
        return not self.reaches(address, device, seconds=2)

    def host(self, interface: str, *addresses: str, gateways: tuple[str, ...] = ()) -> None:
        """Bring the interface up with these addresses (with prefix length) and default gateways."""
        lines = [f"ip link set {interface} up"]
        lines += [
            f"ip address add {address} dev {interface}{' nodad' * (':' in address)}" for address in addresses
        ]
        lines += [f"ip route add default via {gateway}" for gateway in gateways]
        self.run("\n".join(lines))


@contextmanager
def namespaces(*names: str) -> Iterator[tuple[Namespace, ...]]:
    """Fresh forwarding namespaces with loopback up; they and all that runs in them end with the block."""
    try:
        for name in names:
            sh(f"ip netns add {name}")
            sh(f"ip link set lo up\nsysctl -qw {FORWARDING}", name)
        yield tuple(Namespace(name) for name in names)
    finally:
        for name in names:
            stop = f"ip netns pids {name} | xargs -r kill; ip netns delete {name}"
            subprocess.run(["sh", "-c", stop], capture_output=True)


def cable(one: Namespace, port: str, other: Namespace, other_port: str) -> None:
    """Made inside, as the kernel refuses a name that the namespace it is told from has for something else."""
    one.run(f"ip link add {port} type veth peer name {other_port} netns {other.name}")
