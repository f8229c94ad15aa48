"""What servers run at each event, and what the events say.

    python3 -IS hook.py [--socket PATH] [--ttl N] [--mfa] [--user NAME] [--device NAME] SERVER SOURCE EVENT...

SERVER is `openvpn` (learn-address and client-disconnect), `freeradius` (exec) or `dnsmasq` (dhcp-script), and
EVENT what it adds. The exit status is not 0 where nobody has taken it, so that a server that asks refuses.
A server waits for us: this imports few modules of the standard library and nothing of segc, and the sources
that run all the time take the translations from here.
"""

from __future__ import annotations

import getopt
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

SOCKET = "/run/segc/sessions.sock"
PATIENCE = 3.0  # seconds
LONGEST = 64 << 20  # bytes of an answer
FOREVER = 366 * 24 * 3600  # seconds, the longest that the agent takes
FRESH = 1200  # seconds: two of the ten-minute interim updates that RFC 2869, 2.1 has in mind
Request = dict[str, object]
Options = Mapping[str, str]
OPTIONS = ("socket=", "ttl=", "mfa", "user=", "device=")
# A server's clock has seconds; within one of them a session begins, goes on and ends, in this order.
ORDER = {"Start": 0.0, "Interim-Update": 0.3, "Alive": 0.3, "Stop": 0.9}
ATTRIBUTES = (
    *("User-Name", "Framed-IP-Address", "Session-Timeout", "Calling-Station-Id", "Acct-Status-Type"),
    *("Acct-Delay-Time", "Acct-Session-Id", "Acct-Session-Time", "Acct-Interim-Interval"),
    *("Event-Timestamp", "Framed-IPv6-Prefix", "Framed-IPv6-Address"),
)
NO_ADDRESS = ("0.0.0.0", "255.255.255.254", "255.255.255.255", "::")  # RFC 2865, 5.8: "let the user choose"
ENDLESS = 0xFFFFFFFF  # seconds of a lease (RFC 2131, 3.3)
POOL = ("ifconfig_pool_remote_ip", "ifconfig_pool_remote_ip6")  # what OpenVPN tells of a client's addresses


def ask(path: str, request: Request, patience: float = PATIENCE) -> Request:
    """The agent's answer. OSError where nobody answers in time, or not in JSON."""
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(patience)
        agent.connect(path)
        with suppress(BrokenPipeError):  # it has said why it does not want to be asked
            agent.sendall(json.dumps(request).encode() + b"\n")
        with agent.makefile("rb") as lines:
            answer = lines.readline(LONGEST)
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConnectionError("it hung up without an answer")
    return found


def is_host(text: str) -> bool:
    """Whether it is one IPv4 or IPv6 address, and no prefix or MAC address."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def least(options: Options, *seconds: float | None) -> int | None:
    """The least of these and of the option `ttl`, None where nothing bounds it."""
    bounds = [int(each) for each in (options.get("ttl"), *seconds) if each is not None]
    return max(1, min(bounds)) if bounds else None


# -- OpenVPN -----------------------------------------------------------------------------------------


def openvpn(event: Sequence[str], env: Mapping[str, str], options: Options, at: float) -> Iterator[Request]:
    """What it runs as learn-address, and as client-disconnect, as it forgets addresses only much later."""
    if env.get("script_type") == "client-disconnect":
        for name in POOL:
            yield from learn_address(("delete", env.get(name, "")), env, options, at)
    else:
        yield from learn_address(event, env, options, at)


def said_by_client(server: str, name: str) -> bool:
    """Whether a client of OpenVPN itself sets this variable of the environment (--push-peer-info)."""
    return server == "openvpn" and name.startswith(("IV_", "UV_"))


def learn_address(
    event: Sequence[str], env: Mapping[str, str], options: Options, at: float
) -> Iterator[Request]:
    """add|update|delete, address and common name, of which a delete has none (openvpn(8)).

    The address is what names the session, as it is all that a delete tells. Networks behind a client and
    Ethernet addresses are nobody's.
    """
    if len(event) < 2 or not is_host(event[1]):
        return
    if event[0] == "delete":
        yield {"do": "unbind", "id": event[1], "at": at}
        return
    user = env.get(options.get("user", "common_name"), "")
    device = env.get(options["device"]) if "device" in options else None
    claim = {"user": user, "addresses": [event[1]], "id": event[1], "device": device, "ttl": least(options)}
    yield {"do": "bind", "at": at} | claim


# -- RADIUS ------------------------------------------------------------------------------------------


def accounting(pairs: Mapping[str, str], nas: str, options: Options, now: float) -> Iterator[Request]:
    """A RADIUS Accounting-Request by the names of its attributes (RFC 2866, 2869, 6911).

    A session is named by the address `nas` of its access server and its own id, which is unique only there.
    An access server that starts or stops has no sessions: all that begin with `within` end, and none begins
    that began before. ValueError for a number that is none.
    """
    status = pairs.get("Acct-Status-Type", "")
    at = float(pairs.get("Event-Timestamp") or now - float(pairs.get("Acct-Delay-Time") or 0))
    name = f"{nas}/{pairs.get('Acct-Session-Id', '')}"
    if status in ("Accounting-On", "Accounting-Off"):
        yield {"do": "unbind", "within": f"{nas}/", "at": at}
    elif status == "Stop":
        yield {"do": "unbind", "id": name, "at": at + ORDER[status]}
    elif status in ORDER and name != f"{nas}/":
        yield from _here(pairs, name, status, options, at)


def _here(pairs: Mapping[str, str], name: str, status: str, options: Options, at: float) -> Iterator[Request]:
    """Somebody comes or is still there.

    Access begins with the session, so that is the moment of the claim, also where an interim update tells
    of it: one that has been ended here is not begun again by the next update. An update that does not say
    how long it has been going on begins nothing, then. A start may have no address.
    """
    elapsed = int(pairs.get("Acct-Session-Time") or 0)
    ttl, addresses = _believed(pairs, elapsed, options), _framed(pairs)
    if addresses and (status == "Start" or "Acct-Session-Time" in pairs):
        claim = {"user": pairs.get(options.get("user", "User-Name"), ""), "addresses": addresses, "id": name}
        device = pairs.get(options.get("device", ""))
        more = {"mac": mac_address(pairs.get("Calling-Station-Id", "")), "device": device}
        yield {"do": "bind", "at": at - elapsed, "ttl": min(FOREVER, elapsed + ttl)} | claim | more
    if status != "Start":
        yield {
            "do": "renew",
            "id": name,
            "addresses": addresses or None,
            "at": at + ORDER[status],
            "ttl": ttl,
        }


def _framed(pairs: Mapping[str, str]) -> list[str]:
    """The addresses of a session; a prefix counts where it is one address."""
    found = [pairs.get(f"Framed-{name}", "") for name in ("IP-Address", "IPv6-Address", "IPv6-Prefix")]
    hosts = [each.removesuffix("/128") for each in found]
    return list(dict.fromkeys(each for each in hosts if is_host(each) and each not in NO_ADDRESS))


def _believed(pairs: Mapping[str, str], elapsed: int, options: Options) -> int:
    """For how many seconds more: two interim updates and a bit, and what is left of Session-Timeout."""
    interim, whole = pairs.get("Acct-Interim-Interval"), pairs.get("Session-Timeout")
    fresh = 2 * int(interim) + 30 if interim else FRESH
    return least(options, fresh, int(whole) - elapsed if whole else None) or FRESH


def mac_address(text: str) -> str | None:
    """`AA-BB-CC-DD-EE-FF`, `aabb.ccdd.eeff`, and with a `:SSID` behind it, as `aa:bb:cc:dd:ee:ff`."""
    digits = "".join(each for each in text[:17] if each not in "-:.").lower()[:12]
    if len(digits) != 12 or any(each not in "0123456789abcdef" for each in digits):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def freeradius(
    event: Sequence[str], env: Mapping[str, str], options: Options, at: float
) -> Iterator[Request]:
    """Attributes in the environment; the access server's address, and when it happened, as the arguments
    `%{Packet-Src-IP-Address}` (or its like of IPv6) and `%{integer:Event-Timestamp}` (rlm_exec)."""
    wanted = {*ATTRIBUTES, options.get("user", ""), options.get("device", "")}
    names = {each.upper().replace("-", "_"): each for each in wanted}
    pairs = {names[name]: unquoted(value) for name, value in env.items() if name in names}
    nas, happened = (*event, "", "")[:2]
    return accounting(pairs | {"Event-Timestamp": happened}, nas, options, at)


def unquoted(value: str) -> str:
    """What FreeRADIUS put in double quotes, with its escapes."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return re.sub(r"\\([0-7]{3}|.)", _escaped, value[1:-1])


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code, 8)) if len(code) == 3 else {"n": "\n", "r": "\r", "t": "\t"}.get(code, code)


# -- DHCP --------------------------------------------------------------------------------------------


def dnsmasq(event: Sequence[str], env: Mapping[str, str], options: Options, at: float) -> Iterator[Request]:
    """add|old|del, MAC or DUID, and address (dnsmasq(8), --dhcp-script)."""
    if len(event) < 3 or event[0] not in ("add", "old", "del"):
        return
    left = 0.0 if event[0] == "del" else _left(env, at)
    yield from lease(event[2], env.get("DNSMASQ_MAC", "") if ":" in event[2] else event[1], left, at, options)


def _left(env: Mapping[str, str], at: float) -> float | None:
    """Seconds of a lease, None without end, 0 where nothing is said. dnsmasq that was built for machines
    without a clock (HAVE_BROKEN_RTC) does not tell when it expires."""
    if ends := env.get("DNSMASQ_LEASE_EXPIRES"):
        return float(ends) - at if ends != "0" else None
    whole = float(env.get("DNSMASQ_LEASE_LENGTH") or 0)
    return None if whole == ENDLESS else min(whole, float(env.get("DNSMASQ_TIME_REMAINING") or whole))


def lease(
    address: str,
    mac: str,
    left: float | None,
    at: float,
    options: Options,
    who: tuple[str, str | None] | None = None,
) -> Iterator[Request]:
    """A lease that holds for `left` seconds from `at` on, without end at None, no more at 0.

    `who` is the user and the device that go with the MAC; without, the MAC is both.
    """
    hardware = mac_address(mac)
    if not is_host(address):
        return
    if left is not None and left < 1:
        yield {"do": "unbind", "id": address, "at": at + ORDER["Stop"]}
    elif hardware is not None:
        name, device = who or (hardware, hardware)
        claim = {"user": name, "addresses": [address], "id": address, "mac": hardware, "device": device}
        yield {"do": "bind", "at": at, "ttl": least(options, left, FOREVER)} | claim


# -- the agent ---------------------------------------------------------------------------------------


def vouched(request: Request, kind: str, source: str, options: Options) -> Request:
    """The request as this source's."""
    made = {"do": request["do"], "source": source} | request
    if request["do"] == "bind":
        made |= {"kind": kind, "mfa": "mfa" in options}
    return {name: value for name, value in made.items() if value is not None}


def deliver(request: Request, agent: Callable[[Request], Request]) -> str:
    """Ask for it; why the agent refuses, empty where it does not. Fails as `agent` does."""
    answer = agent(request)
    return "" if answer.get("ok") is True else str(answer.get("error") or "the session agent refused")


EVENTS = {"openvpn": ("openvpn", openvpn), "freeradius": ("radius", freeradius), "dnsmasq": ("dhcp", dnsmasq)}


def main(argv: Sequence[str], env: Mapping[str, str], at: float) -> bool:
    """Handle one event; whether the server may go on."""
    found, words = getopt.getopt(list(argv), "", OPTIONS)
    options = {name.lstrip("-"): value for name, value in found}
    if len(words) < 2 or words[0] not in EVENTS:
        raise getopt.GetoptError(f"say which server calls, one of {', '.join(EVENTS)}, and the source's name")
    if words[2:] and words[2].startswith("--"):
        raise getopt.GetoptError(f"options such as `{words[2]}` come before `{words[0]}`")
    for name in ("user", "device"):
        if said_by_client(words[0], options.get(name, "")):
            raise getopt.GetoptError(f"`--{name} {options[name]}` is what clients say of themselves")
    if not options.get("ttl", "1").isdecimal():
        raise getopt.GetoptError("`--ttl` takes a number of seconds")
    (kind, translate), source = EVENTS[words[0]], words[1]
    path, granted = options.get("socket", SOCKET), True
    for request in translate(words[2:], env, options, at):
        refused = deliver(vouched(request, kind, source, options), lambda each: ask(path, each))
        if refused:
            print(f"segc: {refused}", file=sys.stderr)
            granted = False
    return granted or words[0] != "openvpn"  # only OpenVPN asks for leave; others tell


if __name__ == "__main__":
    try:
        sys.exit(0 if main(sys.argv[1:], os.environ, time.time()) else 1)
    except getopt.GetoptError as error:
        sys.exit(f"segc: {error.msg}")
    except OSError as error:
        sys.exit(f"segc: the session agent cannot be reached: {error.strerror or error}")
    except ValueError:
        sys.exit("segc: a number in the event is none")
