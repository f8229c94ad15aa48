"""What the kernel can do, by doing it in an empty network namespace that is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from segc.apply import host as work
from segc.apply.conntrack import connections
from segc.apply.doctor.model import AS_ROOT, Check, Finding, Host, Kind
from segc.apply.errors import ApplyError
from segc.frozen import frozen

BASE = "type filter hook forward priority filter; policy drop;"


@frozen
class Trial:
    """`body` is what a table holds; `option`, of the kernel's configuration, is what brings it."""

    name: str
    what: str
    why: str
    option: str
    body: str


TRIALS = (
    Trial(
        "inet",
        "tables of both IPv4 and IPv6",
        "the ruleset is one",
        "CONFIG_NF_TABLES_INET",
        f"chain c {{ {BASE} meta nfproto ipv4 meta l4proto 6 th dport 80 drop; }}",
    ),
    Trial(
        "conntrack",
        "connection tracking",
        "answers to what is allowed pass by it",
        "CONFIG_NFT_CT",
        f"""chain c {{ {BASE} ct state established,related accept; ct state invalid drop
            ct status dnat ct direction original accept
            ct original ip saddr 192.0.2.1 accept; ct original ip6 saddr 2001:db8::1 accept; }}""",
    ),
    Trial(
        "labels",
        "labels of connections",
        "they tell which connections may end before their time",
        "CONFIG_NF_CONNTRACK_LABELS",
        "chain c { ct label 119 accept; ct label set 119; }",
    ),
    Trial(
        "maps",
        "verdict maps over packet marks and ports",
        "zones and flows are their elements",
        "CONFIG_NF_TABLES",
        """map m { type mark . inet_service : verdict; elements = { 0x1 . 80 comment "x" : accept }; }
        map n { type mark . icmp_type : verdict; }
        chain c { meta mark & 0xff . tcp dport vmap @m; meta mark & 0xff . icmp type vmap @n
            meta mark set meta mark & 0xff | 0x100; }""",
    ),
    Trial(
        "counters",
        "maps of named counters",
        "each flow is counted in the same look-up that allows it",
        "CONFIG_NFT_OBJREF",
        """counter f { }
        map m { type mark . inet_service : counter; elements = { 0x1 . 80 : "f" }; }
        chain c { counter name meta mark . tcp dport map @m accept; }""",
    ),
    Trial(
        "intervals",
        "maps and sets of intervals",
        "networks and spans of time are their elements",
        "CONFIG_NF_TABLES",
        """map m { type ipv4_addr : verdict; flags interval; elements = { 192.0.2.0/24 : accept }; }
        map n { type ipv6_addr : verdict; flags interval; elements = { 2001:db8::/32 : accept }; }
        set t { typeof meta time; flags interval; elements = { 1704067200-1711846800 }; }
        chain c { ip saddr vmap @m; ip6 saddr vmap @n; meta time @t accept; }""",
    ),
    Trial(
        "timeouts",
        "sets whose elements expire",
        "sessions of people are such elements",
        "CONFIG_NF_TABLES",
        """set s { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h }; }
        chain c { ip saddr @s accept; }""",
    ),
    Trial(
        "recent",
        "sets that packets fill",
        "open connections are asked about again every half second, not at every packet",
        "CONFIG_NF_TABLES",
        """set s { type iface_index . ipv4_addr . ipv4_addr . inet_service . inet_service
            flags dynamic,timeout; timeout 500ms; size 64; }
        set t { type iface_index . ipv6_addr . ipv6_addr . inet_service . inet_service
            flags dynamic,timeout; timeout 500ms; size 64; }
        chain c { iif . ip saddr . ip daddr . tcp sport . tcp dport @s accept
            iif . ip6 saddr . ip6 daddr . udp sport . udp dport @t accept
            add @s { iif . ip saddr . ip daddr . tcp sport . tcp dport }
            add @t { iif . ip6 saddr . ip6 daddr . udp sport . udp dport }; }""",
    ),
    Trial(
        "hours",
        "hours and days as conditions",
        "flows with `when` or `until` need them",
        "CONFIG_NF_TABLES",
        "chain c { meta time < 1893452400 meta day 1-5 meta hour 25200-61199 accept; }",
    ),
    Trial(
        "limits",
        "limits",
        "flows with `limit`, and how much is logged",
        "CONFIG_NFT_LIMIT",
        """limit l { rate 20/minute burst 20 packets; }
        chain c { limit name "l" accept; limit rate over 1000/second burst 1000 packets drop; }""",
    ),
    Trial("log", "logging", "flows with `log`", "CONFIG_NFT_LOG", 'chain c { log prefix "segc "; }'),
    Trial(
        "reject",
        "refusals that tell the sender",
        "refused connections end at once instead of timing out",
        "CONFIG_NFT_REJECT_INET",
        "chain c { reject with icmpx type admin-prohibited; }\nchain d { reject with tcp reset; }",
    ),
    Trial(
        "nat",
        "translation of addresses",
        "`publish` and `masquerade` need it",
        "CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_FIB_INET",
        """chain c { type nat hook prerouting priority dstnat; policy accept;
            fib daddr type local meta nfproto ipv4 tcp dport 80 dnat ip to 192.0.2.1:8080
            fib daddr type local meta nfproto ipv6 tcp dport 80 dnat ip6 to 2001:db8::1; }
        chain d { type nat hook postrouting priority srcnat; policy accept; oifname "x" masquerade; }""",
    ),
)
VLAN = "ip link add t0 type veth peer name t1 && ip link add link t0 name t0.5 type vlan id 5"
BRIDGE = "ip link add t0 type bridge vlan_filtering 1"


def tables(host: Host) -> Iterator[Finding]:
    if not _can_try():
        why = "a new network namespace cannot be made, and trials are made in no other"
        yield Finding("features", "note", "what the kernel's tables can do was not tried", why, AS_ROOT)
        return
    failed = failures()
    for trial, words in failed:
        advice = f"a kernel with {trial.option}, and its modules installed; nft said: {words}"
        yield Finding(f"features.{trial.name}", "lacking", f"no {trial.what}", trial.why, advice)
    if not failed:
        yield Finding("features", "ok", f"the kernel does all {len(TRIALS)} things that rulesets need")


def failures(trials: tuple[Trial, ...] = TRIALS) -> list[tuple[Trial, str]]:
    """What the kernel or nft refused, each with nft's words."""
    return [(trial, words) for trial in trials if (words := _refused(trial))]


def _refused(trial: Trial) -> str:
    ruleset = f"table inet trial {{\n{trial.body}\n}}\n"
    done = work.run("unshare", "--net", "nft", "-f", "-", stdin=ruleset)
    words = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return words[0].removeprefix("/dev/stdin:") if done.returncode else ""


def links(host: Host) -> Iterator[Finding]:
    if not _can_try():
        return
    wanted = host.wanted
    vlans = wanted is not None and any(device.vlan is not None for device in wanted.devices)
    filtering = wanted is not None and any(bridge.vlan_aware for bridge in wanted.bridges)
    yield from _link("vlans", "VLANs (802.1Q)", "CONFIG_VLAN_8021Q", VLAN, vlans)
    option = "CONFIG_BRIDGE_VLAN_FILTERING"
    yield from _link("bridges", "bridges that know VLANs", option, BRIDGE, filtering)


def _link(name: str, what: str, option: str, script: str, needed: bool) -> Iterator[Finding]:
    if work.run("unshare", "--net", "sh", "-c", script).returncode == 0:
        yield Finding(f"features.{name}", "ok", f"the kernel makes {what}")
        return
    why = "the gateway's policy needs them" if needed else "policies with trunks or bridges need them"
    state: Kind = "lacking" if needed else "note"
    yield Finding(f"features.{name}", state, f"no {what}", why, f"a kernel with {option}, and its modules")


def ending(host: Host) -> Iterator[Finding]:
    """Connections are ended over ctnetlink."""
    if not host.may_look:
        return
    try:
        next(connections(), None)
    except (OSError, ApplyError):
        why = "connections that a new policy does not allow could not be ended"
        advice = "a kernel with CONFIG_NF_CT_NETLINK (module nf_conntrack_netlink)"
        yield Finding("features.ending", "lacking", "the kernel does not list connections", why, advice)
    else:
        yield Finding("features.ending", "ok", "the kernel lists connections, and can end them")


def _can_try() -> bool:
    try:
        return work.run("unshare", "--net", "nft", "list", "tables").returncode == 0
    except ApplyError:
        return False


CHECKS: tuple[Check, ...] = (tables, links, ending)
