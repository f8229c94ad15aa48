"""A real FreeRADIUS in a namespace, with what segc wrote for it, and those who ask it.

The site is Debian's, with the two changes that docs/identity.md tells of: `segc` in `post-auth`, and the
reply of a tunnel used. People and their passwords come from a module of the site's own, as a directory's
would; certificates are made for the test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.netns.namespace import Namespace, require_throwaway, run

STOCK = Path("/etc/freeradius/3.0")
SECRET = "testing123"
TUNNEL = "inner-tunnel"
EAP = """
eap {
	default_eap_type = peap
	tls-config tls-common {
		private_key_file = CERTS/server.key
		certificate_file = CERTS/server.pem
		ca_file = CERTS/ca.pem
		tls_max_version = "1.2"
	}
	md5 {
	}
	tls {
		tls = tls-common
	}
	ttls {
		tls = tls-common
		use_tunneled_reply = yes
		virtual_server = "inner-tunnel"
	}
	peap {
		tls = tls-common
		default_eap_type = mschapv2
		use_tunneled_reply = yes
		virtual_server = "inner-tunnel"
	}
	mschapv2 {
	}
}
"""
CLIENTS = f"client switch {{\n\tipaddr = 127.0.0.1\n\tsecret = {SECRET}\n}}\n"


def missing() -> str:
    """The program that is not installed, if any."""
    return next((each for each in ("freeradius", "radclient", "eapol_test") if not shutil.which(each)), "")


def certificates(folder: Path, subjects: Mapping[str, str]) -> None:
    """A CA with a certificate for the server and for each subject, as `<name>.pem` and `<name>.key`.

    A subject is `/CN=ana`, or with names beside it, `/O=acme email:ana@acme.example`.
    """
    folder.mkdir()
    _openssl(folder, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=ca", "-days", "2",
             "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    for name, subject in {"server": "/CN=server", **subjects}.items():
        subject, _, beside = subject.partition(" ")
        _openssl(folder, "req", "-nodes", "-newkey", "rsa:2048", "-subj", subject,
                 "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        (folder / f"{name}.ext").write_text(f"subjectAltName={beside}\n" if beside else "")
        sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        files = ["-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.pem"]
        _openssl(folder, "x509", "-req", *sign, *files)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def site(folder: Path, written: Mapping[str, str], people: Mapping[str, str]) -> Path:
    """Debian's configuration with the files that segc wrote, and passwords of `people`."""
    raddb = folder / "raddb"
    shutil.copytree(STOCK, raddb, symlinks=True)
    for name, text in written.items():
        (raddb / name).write_text(text)
    _replace(raddb / "radiusd.conf", r"^\s*(user|group) = freerad$", "")
    _replace(raddb / "radiusd.conf", r"^raddbdir = .*$", f"raddbdir = {raddb}")
    _replace(raddb / "radiusd.conf", r"^(logdir|run_dir) = .*$", rf"\1 = {folder}")
    _replace(raddb / "radiusd.conf", r"reject_delay = 1$", "reject_delay = 0")
    _replace(raddb / "mods-available/files", r"^(?=\tfilename = )", '\tkey = "%{tolower:%{User-Name}}"\n')
    _replace(raddb / "sites-available/default", r"^(?=\tPost-Auth-Type REJECT)", "\tsegc\n")
    (raddb / "mods-available/eap").write_text(EAP.replace("CERTS", str(folder / "certs")))
    (raddb / "clients.conf").write_text(CLIENTS)
    (raddb / "mods-enabled/people").write_text(f"files people {{\n\tfilename = {folder}/people\n}}\n")
    (folder / "people").write_text("".join(f'"{n}" Cleartext-Password := "{p}"\n' for n, p in people.items()))
    _replace(raddb / "sites-available/inner-tunnel", r"^\teap \{$", "\tpeople\n\teap {", 1)
    return raddb


def _replace(path: Path, pattern: str, text: str, count: int = 0) -> None:
    changed, found = re.subn(pattern, text, path.read_text(), count=count, flags=re.MULTILINE)
    assert found, f"{path} holds no {pattern}"
    path.write_text(changed)


def lint(raddb: Path) -> subprocess.CompletedProcess[str]:
    command = ["freeradius", "-XC", "-d", str(raddb), "-l", "stdout"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@dataclass(frozen=True, slots=True)
class Answer:
    """`accepted`, and the attributes of the last answer by name."""

    accepted: bool
    attributes: Mapping[str, str]

    @property
    def vlan(self) -> str | None:
        return self.attributes.get("Tunnel-Private-Group-Id")

    @property
    def user(self) -> str | None:
        return self.attributes.get("User-Name")


@dataclass(frozen=True, slots=True)
class Server:
    namespace: Namespace
    folder: Path

    def radclient(self, **attributes: str) -> Answer:
        """What a switch is told of a plain request: a password, or a MAC address for one."""
        request = ",".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        command = ["radclient", "-x", "-r", "1", "-t", "5", "127.0.0.1", "auth", SECRET]
        done = run(self.namespace, command, stdin=f"{request}\n", check=False)
        found = dict(
            re.findall(r'^\t([A-Z][A-Za-z-]+)(?::0)? = "?([^"\n]*)"?$', _last(done.stdout), re.MULTILINE)
        )
        return Answer("Received Access-Accept" in done.stdout, found)

    def eap(self, **settings: str) -> Answer:
        """What a switch is told of a supplicant with these settings, which are wpa_supplicant's."""
        lines = [f"\t{key}={value}\n" for key, value in settings.items()]
        path = self.folder / "supplicant.conf"
        path.write_text(f"network={{\n\tkey_mgmt=IEEE8021X\n\teapol_flags=0\n{''.join(lines)}}}\n")
        command = ["eapol_test", "-c", str(path), "-s", SECRET, "-t", "10", "-r", "0", "-N", "61:d:15"]
        done = run(self.namespace, command, check=False)
        return Answer(done.stdout.rstrip().endswith("SUCCESS"), dict(_attributes(done.stdout)))

    def peap(self, name: str, password: str, outer: str = "anonymous") -> Answer:
        return self.eap(eap="PEAP", identity=f'"{name}"', anonymous_identity=f'"{outer}"',
                        password=f'"{password}"', phase2='"auth=MSCHAPV2"')  # fmt: skip

    def ttls(self, name: str, password: str, outer: str = "anonymous") -> Answer:
        return self.eap(eap="TTLS", identity=f'"{name}"', anonymous_identity=f'"{outer}"',
                        password=f'"{password}"', phase2='"auth=PAP"')  # fmt: skip

    def tls(self, name: str, certificate: str) -> Answer:
        certs = self.folder / "certs"
        return self.eap(eap="TLS", identity=f'"{name}"', ca_cert=f'"{certs}/ca.pem"',
                        client_cert=f'"{certs}/{certificate}.pem"',
                        private_key=f'"{certs}/{certificate}.key"')  # fmt: skip


def _last(text: str) -> str:
    return text[text.rfind("Received ") :]


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    """Attributes of the last message from the server, as eapol_test shows them."""
    message = text[text.rfind("Received RADIUS message") :]
    for number, value in re.findall(r"Attribute (\d+) \(.*\n\s+Value: (.*)", message):
        if number == "81":
            yield "Tunnel-Private-Group-Id", bytes.fromhex(value).decode()
        elif number == "27":
            yield "Session-Timeout", value
        elif number == "1":
            escaped = re.sub(r"\\x(..)", lambda match: chr(int(match[1], 16)), value.strip("'"))
            yield "User-Name", escaped.encode("latin-1").decode()


@contextmanager
def serving(folder: Path, raddb: Path) -> Iterator[Server]:
    """The server in a namespace of its own, ready to answer; stopped afterwards."""
    namespace = Namespace.create("radius")
    run(namespace, ["ip", "link", "set", "lo", "up"])
    log = (folder / "log.txt").open("w+")

    def start() -> subprocess.Popen[str]:
        require_throwaway()
        command = ["freeradius", "-X", "-d", str(raddb), "-l", "stdout"]
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)

    process = namespace.call(start)
    try:
        _await_ready(process, folder / "log.txt")
        yield Server(namespace, folder)
    finally:
        process.kill()
        process.wait()
        log.close()
        namespace.close()


def _await_ready(process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + 30
    while "Ready to process requests" not in (text := log.read_text()):
        assert process.poll() is None, text[-2000:]
        assert time.monotonic() < until, text[-2000:]
        time.sleep(0.02)
