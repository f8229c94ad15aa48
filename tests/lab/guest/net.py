"""Network namespaces and cables between them, for tests in the guest."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def sh(command: str, stdin: str | None = None) -> str:
    """Run a command line without a shell; its stdout, or an AssertionError with what it said."""
    done = subprocess.run(command.split(), input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str

    def run(self, commands: str) -> str:
        """Run each line in the namespace; the stdout of all."""
        lines = [line.strip() for line in commands.splitlines() if line.strip()]
        return "".join(sh(f"ip netns exec {self.name} {line}") for line in lines)

    def nft(self, ruleset: str) -> None:
        sh(f"ip netns exec {self.name} nft -f -", stdin=ruleset)

    def reaches(self, address: str) -> bool:
        """Whether one of three pings within as many seconds is answered; the first may wait for a neighbour."""
        ping = f"ip netns exec {self.name} ping -n -q -c 3 -i 0.2 -W 1 {address}"
        return subprocess.run(ping.split(), capture_output=True).returncode == 0

    def host(self, interface: str, *addresses: str, gateways: tuple[str, ...] = ()) -> None:
        """Bring the interface up with these addresses (with prefix length) and default gateways."""
        self.run(f"ip link set {interface} up")
        for address in addresses:
            self.run(f"ip address add {address} dev {interface}{' nodad' * (':' in address)}")
        for gateway in gateways:
            self.run(f"ip route add default via {gateway}")


@contextmanager
def namespaces(*names: str) -> Iterator[tuple[Namespace, ...]]:
    """Fresh namespaces with loopback up and forwarding on; they and all in them vanish at the end."""
    try:
        for name in names:
            sh(f"ip netns add {name}")
            Namespace(name).run("ip link set lo up\nsysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        yield tuple(Namespace(name) for name in names)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def cable(one: Namespace, port: str, other: Namespace, other_port: str) -> None:
    sh(f"ip link add {port} netns {one.name} type veth peer name {other_port} netns {other.name}")
