"""LDAP and Active Directory (RFC 4511; [MS-ADTS] 3.1.1.3 for what only the latter has).

url           ldaps://HOST, ldap://HOST (then with StartTLS), or ldapi:// for a socket on this host
base          where the search for users and groups starts
bind          the DN to bind as; its password is the directory's secret. Without one, anonymously,
              or by who we are on this host (SASL EXTERNAL, ldapi)
ca            a file of certificates to trust, instead of the system's
tls           "none": no encryption. Only for a server on this host
user, group   the attributes that name them: `mail` (Active Directory: `userPrincipalName`), `cn`
users         a filter: who counts as a user. By default people whose account is not disabled
group-filter  a filter for groups
nested        "expand": we follow groups in groups. "chain": the server does (Active Directory's matching
              rule LDAP_MATCHING_RULE_IN_CHAIN). By default the latter where it is there
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from segc.identity.deadline import Deadline
from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User, chosen
from segc.identity.settings import Settings
from segc.identity.web import LOOPBACK

PAGE = 500  # entries
ACTIVE_DIRECTORY = b"1.2.840.113556.1.4.800"  # LDAP_CAP_ACTIVE_DIRECTORY_OID
IN_CHAIN = "1.2.840.113556.1.4.1941"
BIT_AND = "1.2.840.113556.1.4.803"
MEMBERS = ("member", "uniqueMember", "memberUid")
PEOPLE = "(|(objectClass=person)(objectClass=posixAccount))"
GROUPS = (
    "(|" + "".join(f"(objectClass={c})" for c in ("groupOfNames", "groupOfUniqueNames", "posixGroup")) + ")"
)
AD_PEOPLE = f"(&(objectCategory=person)(objectClass=user)(!(userAccountControl:{BIT_AND}:=2)))"
AD_GROUPS = "(objectCategory=group)"
_RANGED = re.compile(r"([\w-]+);range=(\d+)-(\d+|\*)", re.IGNORECASE)

Attributes = Mapping[str, list[bytes]]


def source(settings: Settings) -> str:
    return f"{settings.options['url'].rstrip('/')}/{settings.options['base']}"


def read(asked: Asked) -> Listing:
    try:
        import ldap
    except ImportError:
        raise DirectoryError("reading LDAP needs python-ldap: install `segc[ldap]`") from None
    try:
        server = _Server(ldap, asked.settings, asked.deadline)
        server.open(asked)
        return _listing(server, asked)
    except ldap.LDAPError as error:
        raise DirectoryError(_reason(ldap, error, asked)) from None


def _listing(server: _Server, asked: Asked) -> Listing:
    options = asked.settings.options
    active = server.is_active_directory()
    nested = options.get("nested", "chain" if active else "expand")
    if nested not in ("chain", "expand"):
        raise DirectoryError('`nested` must be "chain" or "expand"')
    if nested == "chain" and not active:
        raise DirectoryError('it is no Active Directory, which alone knows `nested = "chain"`')
    named = options.get("user", "userPrincipalName" if active else "mail")
    people = options.get("users", AD_PEOPLE if active else PEOPLE)
    wanted = options.get("group-filter", AD_GROUPS if active else GROUPS)
    label = options.get("group", "cn")
    if nested == "chain":
        groups = [Group(dn, _first(each, label), ()) for dn, each in server.entries(wanted, (label,))]
        return _chained(server, asked, people, named, groups)
    entries = list(server.entries(people, (named, "uid")))
    uids = {_first(each, "uid"): dn for dn, each in entries}
    found = [
        Group(dn, _first(each, label), tuple(server.members(dn, each, uids)))
        for dn, each in list(server.entries(wanted, (label, *MEMBERS)))  # whole, before ranges are asked for
    ]
    return Listing(_users(entries, named), tuple(found))


def _chained(server: _Server, asked: Asked, people: str, named: str, groups: list[Group]) -> Listing:
    """Members as the server knows them, of the groups that matter; and the users whom the policy names."""
    from ldap.filter import escape_filter_chars as escaped

    kept = chosen(asked.settings.name, groups, asked.wanted).values()
    users: dict[str, User] = {}
    found = []
    for group in kept:
        inside = f"(&{people}(memberOf:{IN_CHAIN}:={escaped(group.id)}))"
        members = _users(server.entries(inside, (named,)), named)
        users |= {each.id: each for each in members}
        found.append(Group(group.id, group.name, tuple(each.id for each in members)))
    for name in sorted(asked.wanted.users):
        alone = server.entries(f"(&{people}({named}={escaped(name)}))", (named,))
        users |= {each.id: each for each in _users(alone, named)}
    return Listing(tuple(users.values()), tuple(found))


def _users(entries: Any, named: str) -> tuple[User, ...]:
    return tuple(User(dn, name) for dn, each in entries if (name := _first(each, named)))


def _first(attributes: Attributes, name: str) -> str:
    """The first value of an attribute, whose name has no case; empty where there is none that is text."""
    values = next((found for key, found in attributes.items() if key.lower() == name.lower()), [])
    texts = sorted(value.decode("utf-8", "replace") for value in values)
    return texts[0] if texts else ""


@dataclass
class _Server:
    """A connection by python-ldap, which is `ldap` here."""

    ldap: Any
    settings: Settings
    deadline: Deadline

    def __post_init__(self) -> None:
        url = self.settings.options["url"]
        if urlsplit(url).scheme not in ("ldap", "ldaps", "ldapi"):
            raise DirectoryError(f"`{url}` is no URL of LDAP: write `ldaps://host`")
        if "@" in urlsplit(url).netloc:
            raise DirectoryError("its URL names a user, which must not stand there: write `bind`")
        self.connection = self.ldap.initialize(url)

    def open(self, asked: Asked) -> None:
        ldap, options = self.ldap, self.settings.options
        connection = self.connection
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, self.deadline.timeout())
        connection.set_option(ldap.OPT_TIMEOUT, self.deadline.timeout())
        self._encrypt()
        if "bind" in options:
            connection.simple_bind_s(options["bind"], asked.secret().revealed)
        elif urlsplit(options["url"]).scheme == "ldapi":
            connection.sasl_non_interactive_bind_s("EXTERNAL")
        else:
            connection.simple_bind_s()

    def _encrypt(self) -> None:
        """Nothing goes out in the clear, and to nobody whose certificate does not say who he is."""
        ldap, options = self.ldap, self.settings.options
        url = urlsplit(options["url"])
        if options.get("tls", "none") != "none":
            raise DirectoryError('`tls` is "none" or not there')
        if "tls" in options or url.scheme == "ldapi":
            if url.scheme != "ldapi" and url.hostname not in LOOPBACK:
                raise DirectoryError('`tls = "none"` would show the secret on the way: only for this host')
            return
        self.connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        self.connection.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, 0x303)  # TLS 1.2
        if (path := self.settings.path("ca")) is not None:
            self.connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(path))
        self.connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if url.scheme == "ldap":
            self.connection.start_tls_s()

    def is_active_directory(self) -> bool:
        root = self.connection.read_rootdse_s(attrlist=["supportedCapabilities"])
        return ACTIVE_DIRECTORY in root.get("supportedCapabilities", [])

    def entries(self, filter: str, attributes: tuple[str, ...]) -> Iterator[tuple[str, Attributes]]:
        """All entries below the base by normalized DN, page by page (RFC 2696)."""
        ldap = self.ldap
        page = ldap.controls.SimplePagedResultsControl(True, size=PAGE, cookie="")
        while True:
            self.connection.set_option(ldap.OPT_TIMEOUT, self.deadline.timeout())
            base, below = self.settings.options["base"], ldap.SCOPE_SUBTREE
            number = self.connection.search_ext(base, below, filter, list(attributes), serverctrls=[page])
            _, found, _, controls = self.connection.result3(number, timeout=self.deadline.timeout())
            yield from ((self.normal(dn), each) for dn, each in found if dn is not None)  # None: a referral
            cookies = [each.cookie for each in controls if each.controlType == page.controlType]
            if not cookies or not cookies[0]:
                return
            page.cookie = cookies[0]

    def members(self, dn: str, attributes: Attributes, uids: Mapping[str, str]) -> Iterator[str]:
        """The DNs of a group's members; long lists come in ranges ([MS-ADTS] 3.1.1.3.1.3.3)."""
        for name, values in attributes.items():
            ranged = _RANGED.fullmatch(name)
            base = ranged[1] if ranged else name
            if base.lower() == "memberuid":
                yield from (
                    uids[text] for each in values if (text := each.decode("utf-8", "replace")) in uids
                )
            elif base.lower() in ("member", "uniquemember"):
                rest = self._ranges(dn, base, int(ranged[3]) + 1) if ranged and ranged[3] != "*" else ()
                yield from (self.normal(each.decode("utf-8", "replace")) for each in (*values, *rest))

    def _ranges(self, dn: str, name: str, start: int) -> Iterator[bytes]:
        while True:
            asked = [f"{name};range={start}-*"]
            self.connection.set_option(self.ldap.OPT_TIMEOUT, self.deadline.timeout())
            found = self.connection.search_ext_s(dn, self.ldap.SCOPE_BASE, attrlist=asked)
            ranges = [
                (match, values) for key, values in found[0][1].items() if (match := _RANGED.fullmatch(key))
            ]
            if not ranges:
                raise DirectoryError(f"it broke off in the middle of the group `{dn}`")
            match, values = ranges[0]
            yield from values
            if match[3] == "*":
                return
            start = int(match[3]) + 1

    def normal(self, dn: str) -> str:
        """One spelling for each DN (RFC 4514): servers write those of members as they were given."""
        try:
            parts = self.ldap.dn.str2dn(dn)
        except self.ldap.DECODING_ERROR:
            return dn.lower()
        return str(
            self.ldap.dn.dn2str(
                [
                    sorted(
                        (name.lower(), " ".join(value.lower().split()), flags) for name, value, flags in part
                    )
                    for part in parts
                ]
            )
        )


def _reason(ldap: Any, error: Any, asked: Asked) -> str:
    """What the library says of an error: `desc` is from a list, `info` is the server's or TLS's own word."""
    about = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    if isinstance(error, ldap.TIMEOUT) or asked.deadline.left <= 0:
        return str(asked.deadline.passed())
    words = str(about.get("desc", "it cannot be read"))
    info = " ".join(str(about.get("info", "")).split())[:200]
    known = f" ({info})" if info and "unknown error" not in info else ""
    url = urlsplit(asked.settings.options["url"])
    secured = isinstance(error, ldap.CONNECT_ERROR) or (
        isinstance(error, ldap.SERVER_DOWN) and url.scheme == "ldaps"
    )
    trust = (
        f": is its certificate made out to `{url.hostname}`, by somebody whom we trust?" if secured else ""
    )
    return f"LDAP says: {words[:1].lower()}{words[1:]}{known}{trust}"
