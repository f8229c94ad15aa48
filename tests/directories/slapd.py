"""A real slapd (Debian's) in a temporary folder, on loopback, with TLS."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SLAPD = Path("/usr/sbin/slapd")
SCHEMA = Path("/etc/ldap/schema")
BASE = "dc=acme,dc=example"
ADMIN = f"cn=admin,{BASE}"

CONFIG = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/nis.schema
include {schema}/inetorgperson.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit size.soft=100 size.hard=100 size.prtotal=unlimited
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {folder}/db
dbnosync
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{base}" read by * none
"""


@dataclass
class Slapd:
    folder: Path
    port: int
    secure_port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def secure_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.secure_port}"

    def add(self, ldif: str) -> None:
        self._run("ldapadd", ldif)

    def modify(self, ldif: str) -> None:
        self._run("ldapmodify", ldif)

    def _run(self, program: str, ldif: str) -> None:
        password = self.folder / "admin.password"
        command = [program, "-x", "-H", self.url, "-D", ADMIN, "-y", str(password)]
        done = subprocess.run(command, input=ldif.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(folder: Path, password: str, crowd: int = 20) -> Iterator[Slapd]:
    (folder / "db").mkdir(parents=True)
    (folder / "admin.password").write_text("admin-of-the-test")
    certify(folder)
    config = CONFIG.format(schema=SCHEMA, folder=folder, base=BASE, admin=ADMIN, password="admin-of-the-test")
    (folder / "slapd.conf").write_text(config)
    port, secure = free_port(), free_port()
    urls = f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{secure}/"
    command = [str(SLAPD), "-d", "0", "-f", str(folder / "slapd.conf"), "-h", urls]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Slapd(folder, port, secure, process)
        _await(server)
        server.add(tree(password, crowd))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(server: Slapd) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert server.process.poll() is None, (server.folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("slapd does not listen")


def certify(folder: Path) -> None:
    """A certificate authority and a certificate for 127.0.0.1, by openssl. libldap takes `localhost` for the
    host's own name."""

    def openssl(*arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
    openssl("req", *curve[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signer, "-out", "server.pem")


def person(uid: str, mail: str | None = None) -> str:
    return (
        f"dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
        f"mail: {mail or f'{uid}@acme.example'}\n\n"
    )


def group(name: str, members: Sequence[str]) -> str:
    lines = "".join(f"member: {each},{BASE}\n" for each in members)
    return f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"


def tree(password: str, size: int) -> str:
    """Ana and Bo, in finance by way of a nested group, in a circle; so many others in `everybody`."""
    crowd = [f"p{n:04}" for n in range(size)]
    parts = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: acme\ndc: acme\n\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n\n",
        f"dn: cn=reader,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
        f"cn: reader\nuserPassword: {password}\n\n",
        *(person(uid) for uid in ("bo", "cem", "dora", *crowd)),
        person("ana", "Ana@Acme.example"),
        group("sg-finance", ["uid=dora,ou=people", "cn=sg-closing,ou=groups"]),
        group("sg-closing", ["UID=Ana, OU=people", "cn=sg-night,ou=groups"]),
        group("sg-night", ["uid=bo,ou=people", "cn=sg-finance,ou=groups"]),
        group("everybody", [f"uid={uid},ou=people" for uid in crowd]),
        f"dn: cn=unix,ou=groups,{BASE}\nobjectClass: posixGroup\ncn: unix\ngidNumber: 7\nmemberUid: cem\n\n",
    ]
    return "".join(parts)
