"""OpenVPN with certificates: an authority, a server in the gateway, and clients outside."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.netns.namespace import Namespace
from tests.netns.programs import Program

SERVER = """\
dev tun0
server 10.8.0.0 255.255.255.0
server-ipv6 2001:db8:8::/64
topology subnet
push "route 10.2.0.0 255.255.255.0"
push "route-ipv6 2001:db8:2::/64"
dh none
ca ca.crt
cert server.crt
key server.key
crl-verify crl.pem
keepalive 1 5
verb 3
"""
CLIENT = """\
client
dev tun0
remote {remote} 1194 udp
nobind
ca ca.crt
cert {name}.crt
key {name}.key
remote-cert-tls server
connect-retry 1 2
explicit-exit-notify 1
keepalive 1 5
verb 3
"""
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority in a folder; everybody's certificate names a device as its unit (OU)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl(
            "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=firm", "-days", "2"
        )
        (folder / "index.txt").touch()
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=2\n"
        )
        self.issue("server", "", "extendedKeyUsage=serverAuth")
        self._list()

    def issue(self, name: str, device: str, extension: str = "extendedKeyUsage=clientAuth") -> None:
        unit = f"/OU={device}" if device else ""
        self._openssl(
            "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"{unit}/CN={name}"
        )
        (self.folder / "ext").write_text(f"keyUsage=digitalSignature\n{extension}\n")
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-days", "2", "-extfile", "ext"),
        )

    def revoke(self, name: str) -> None:
        self._ca("-revoke", f"{name}.crt")
        self._list()

    def _list(self) -> None:
        self._ca("-gencrl", "-out", "crl.pem")

    def _ca(self, *arguments: str) -> None:
        self._openssl("ca", "-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key", *arguments)

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def serve(gateway: Namespace, authority: Authority, lines: str) -> Program:
    """The server with these lines of configuration beside its own."""
    path = authority.folder / "server.conf"
    path.write_text(SERVER + lines)
    server = Program(gateway, ["openvpn", "--cd", str(authority.folder), "--config", str(path)])
    server.says("Initialization Sequence Completed")
    return server


def connect(
    host: Namespace, authority: Authority, name: str, remote: str, options: Sequence[str] = ()
) -> Program:
    """A client; whether it comes in is for the caller to await."""
    path = authority.folder / f"{name}.conf"
    path.write_text(CLIENT.format(remote=remote, name=name))
    return Program(host, ["openvpn", "--cd", str(authority.folder), "--config", str(path), *options])
