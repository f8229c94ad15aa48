"""What servers run at each event, and what the events say.

    python3 -IS hook.py [--socket PATH] [--ttl N] [--mfa] [--user NAME] [--device NAME] KIND SOURCE EVENT...

KIND is `openvpn` (learn-address), `freeradius` (exec) or `dnsmasq` (dhcp-script); EVENT is what the server
adds. The exit status is 0 when the daemon has taken it, so that a server which asks refuses while nobody
answers. A server waits for us: this imports few modules of the standard library and nothing of segc, and the
sources that run all the time take the translations from here.
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

SOCKET = "/run/segc/sessions.sock"
PATIENCE = 3.0  # seconds
LONGEST = 1 << 20  # bytes of an answer
Request = dict[str, object]
OPTIONS = ("socket=", "ttl=", "mfa", "user=", "device=")
# A server's clock has seconds; within one of them a session begins, goes on and ends, in this order.
ORDER = {"Start": 0.0, "Interim-Update": 0.3, "Alive": 0.3, "Stop": 0.9}
FOREVER = 366 * 24 * 3600  # seconds, the longest that the daemon takes
ATTRIBUTES = (
    *("User-Name", "Framed-IP-Address", "Session-Timeout", "Calling-Station-Id", "Acct-Status-Type"),
    *("Acct-Delay-Time", "Acct-Session-Id", "Acct-Session-Time", "Acct-Interim-Interval"),
    *("Event-Timestamp", "Framed-IPv6-Prefix", "Framed-IPv6-Address"),
)
NO_ADDRESS = ("0.0.0.0", "255.255.255.254", "255.255.255.255", "::")  # RFC 2865, 5.8: "let the user choose"


def ask(path: str, request: Request, patience: float = PATIENCE) -> Request:
    """The daemon's answer. OSError where nobody answers in time, ValueError where it is no answer."""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.settimeout(patience)
        daemon.connect(path)
        daemon.sendall(json.dumps(request).encode() + b"\n")
        with daemon.makefile("rb") as lines:
            answer = json.loads(lines.readline(LONGEST) or b"null")
    if not isinstance(answer, dict):
        raise ValueError("the session daemon closed the connection without an answer")
    return answer


def is_host(text: str) -> bool:
    """Whether it is one IPv4 or IPv6 address, and no prefix or MAC address."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def learn_address(
    event: Sequence[str], env: Mapping[str, str], options: Mapping[str, str], at: float
) -> Request | None:
    """OpenVPN's add|update|delete, address and common name, of which a delete has none (openvpn(8)).

    The address is what names the session, as it is all that a delete tells. Networks behind a client and
    Ethernet addresses are nobody's: None.
    """
    if len(event) < 2 or not is_host(event[1]):
        return None
    if event[0] == "delete":
        return {"do": "unbind", "id": event[1], "at": at}
    user = env.get(options.get("user", "common_name"), "")
    device = env.get(options["device"]) if "device" in options else None
    return {"do": "bind", "user": user, "addresses": [event[1]], "id": event[1], "device": device, "at": at}


def accounting(pairs: Mapping[str, str], nas: str, options: Mapping[str, str], now: float) -> Request | None:
    """A RADIUS Accounting-Request by the names of its attributes (RFC 2866, 2869, 6911).

    A session is named by the address `nas` of its access server and its own id, which is unique only there.
    An access server that starts or stops has no sessions: all that begin with `within` end. None where there
    is nothing to say yet, such as at a start without an address. ValueError for a number that is none.
    """
    status = pairs.get("Acct-Status-Type", "")
    at = float(pairs.get("Event-Timestamp") or now - float(pairs.get("Acct-Delay-Time") or 0))
    if status in ("Accounting-On", "Accounting-Off"):
        return {"do": "unbind", "within": f"{nas}/", "at": at}
    if status not in ORDER or not pairs.get("Acct-Session-Id"):
        return None
    request: Request = {"id": f"{nas}/{pairs['Acct-Session-Id']}", "at": at + ORDER[status]}
    if status == "Stop":
        return {"do": "unbind"} | request
    ttl, addresses = _believed(pairs), _framed(pairs)
    if ttl is not None:
        request["ttl"] = ttl
    if addresses:
        mac = mac_address(pairs.get("Calling-Station-Id", ""))
        who = {"user": pairs.get(options.get("user", "User-Name"), ""), "addresses": addresses, "mac": mac}
        return {"do": "bind"} | request | who | {"device": pairs.get(options.get("device", ""))}
    return {"do": "renew"} | request if status != "Start" else None


def _framed(pairs: Mapping[str, str]) -> list[str]:
    """The addresses of a session; a prefix counts where it is one address."""
    found = [pairs.get(f"Framed-{name}", "") for name in ("IP-Address", "IPv6-Address", "IPv6-Prefix")]
    hosts = [each.removesuffix("/128") for each in found]
    return list(dict.fromkeys(each for each in hosts if is_host(each) and each not in NO_ADDRESS))


def _believed(pairs: Mapping[str, str]) -> int | None:
    """For how many seconds: what is left of Session-Timeout, and at most two interim updates and a bit."""
    bounds = []
    if pairs.get("Session-Timeout"):
        bounds.append(int(pairs["Session-Timeout"]) - int(pairs.get("Acct-Session-Time") or 0))
    if pairs.get("Acct-Interim-Interval"):
        bounds.append(2 * int(pairs["Acct-Interim-Interval"]) + 30)
    return max(1, min(bounds)) if bounds else None


def mac_address(text: str) -> str | None:
    """`AA-BB-CC-DD-EE-FF`, `aabb.ccdd.eeff`, and with a `:SSID` behind it, as `aa:bb:cc:dd:ee:ff`."""
    digits = "".join(each for each in text[:17] if each not in "-:.").lower()[:12]
    if len(digits) != 12 or any(each not in "0123456789abcdef" for each in digits):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def lease(
    address: str, mac: str, left: float | None, at: float, who: tuple[str, str | None] | None = None
) -> Request | None:
    """A DHCP lease that holds for `left` seconds, without end at None, no more at 0.

    `who` is the user and the device that go with the MAC; without, the MAC is both. None without an address
    or a MAC.
    """
    hardware = mac_address(mac)
    if not is_host(address):
        return None
    if left is not None and left < 1:
        return {"do": "unbind", "id": address, "at": at + ORDER["Stop"]}
    if hardware is None:
        return None
    name, device = who or (hardware, hardware)
    ttl = FOREVER if left is None else min(FOREVER, int(left))
    bound = {"do": "bind", "user": name, "addresses": [address], "id": address, "at": at}
    return bound | {"mac": hardware, "device": device, "ttl": ttl}


def dnsmasq(
    event: Sequence[str], env: Mapping[str, str], options: Mapping[str, str], at: float
) -> Request | None:
    """dnsmasq's add|old|del, MAC or DUID, and address (dnsmasq(8), --dhcp-script)."""
    if len(event) < 3 or event[0] not in ("add", "old", "del"):
        return None
    ends = float(env.get("DNSMASQ_LEASE_EXPIRES") or 0)
    left = 0.0 if event[0] == "del" else ends - at if ends else None
    return lease(event[2], env.get("DNSMASQ_MAC", "") if ":" in event[2] else event[1], left, at)


def freeradius(
    event: Sequence[str], env: Mapping[str, str], options: Mapping[str, str], at: float
) -> Request | None:
    """FreeRADIUS's attributes in the environment; the access server's address, and when it happened, as
    `%{Packet-Src-IP-Address}` and `%{integer:Event-Timestamp}` (rlm_exec)."""
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


def vouched(request: Request, kind: str, source: str, options: Mapping[str, str]) -> Request:
    """The request as this source's; a claim that says no time of its own gets that of the options."""
    made = {"do": request["do"], "source": source} | request
    if request["do"] == "bind":
        made |= {"kind": kind, "mfa": "mfa" in options}
    if "ttl" in options and request["do"] != "unbind":
        made["ttl"] = min(int(options["ttl"]), int(str(request.get("ttl") or FOREVER)))
    return {name: value for name, value in made.items() if value is not None}


def deliver(request: Request, daemon: Callable[[Request], Request]) -> str:
    """Ask for it; why the daemon refuses, empty where it does not. OSError and ValueError as of `ask`."""
    refused = ""
    for each in _single(request, daemon):
        answer = daemon(each)
        if answer.get("ok") is not True:
            refused = str(answer.get("error") or "the session daemon refused")
    return refused


def _single(request: Request, daemon: Callable[[Request], Request]) -> Iterator[Request]:
    if "within" not in request:
        yield request
        return
    found = daemon({"do": "sessions", "source": request["source"]}).get("sessions")
    for each in found if isinstance(found, list) else ():
        if each["source"] == request["source"] and str(each["id"]).startswith(str(request["within"])):
            yield {name: request[name] for name in ("do", "source", "at")} | {"id": each["id"]}


EVENTS = {
    "openvpn": ("openvpn", learn_address),
    "freeradius": ("radius", freeradius),
    "dnsmasq": ("dhcp", dnsmasq),
}


def main(argv: Sequence[str], env: Mapping[str, str], at: float) -> str:
    """Handle one event; why it came to nothing, empty if it did not."""
    found, words = getopt.getopt(list(argv), "", OPTIONS)
    options = {name.lstrip("-"): value for name, value in found}
    if len(words) < 2 or words[0] not in EVENTS:
        raise getopt.GetoptError(f"say which server calls, one of {', '.join(EVENTS)}, and the source's name")
    kind, translate = EVENTS[words[0]]
    request = translate(words[2:], env, options, at)
    if request is None:
        return ""
    path = options.get("socket", SOCKET)
    return deliver(vouched(request, kind, words[1], options), lambda each: ask(path, each))


if __name__ == "__main__":
    try:
        reason = main(sys.argv[1:], os.environ, time.time())
    except getopt.GetoptError as error:
        sys.exit(f"segc: {error.msg}")
    except OSError as error:
        sys.exit(f"segc: the session daemon cannot be reached: {error.strerror or error}")
    except ValueError as error:
        sys.exit(f"segc: {error}")
    sys.exit(f"segc: {reason}" if reason else 0)
