"""Reading JSON from a directory's web service: SCIM, Graph, Okta (RFC 9110, RFC 8288, RFC 6585).

Redirects are not followed and pages are taken from the same origin only, since the secret goes with every
request. Where the service asks to wait, it is waited for as long as the deadline allows.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from segc.document import DocumentError, read_json
from segc.frozen import frozen
from segc.identity.deadline import Deadline
from segc.identity.errors import DirectoryError

LARGEST = 64 << 20  # bytes of one answer
TRIES = 6  # of one request
BUSY = (429, 502, 503, 504)
PAUSE = 1.0  # seconds before the second try where the service names none; twice as long each time
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
MEANINGS = {
    400: "does not understand the request",
    401: "does not accept the secret",
    403: "does not let this account read it",
    404: "does not know the address",
    410: "has forgotten where we were",
    429: "is busy",
}


class StatusError(DirectoryError):
    """An answer that is none; `code` is the service's own name for the error, if it gives one."""

    def __init__(self, status: int, code: str) -> None:
        other = "has an error" if status >= 500 else "sends us elsewhere" if status < 400 else "refuses it"
        means = MEANINGS.get(status, other)
        super().__init__(f"it {means} (HTTP {status}{f', {code}' if code else ''})")
        self.status, self.code = status, code


class _StayHere(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@frozen
class Answer:
    content: Any
    headers: Message


@frozen
class Service:
    """`origin` is any URL of the service; all others have to be of the same scheme, host and port."""

    origin: str
    headers: Mapping[str, str]
    deadline: Deadline
    opener: OpenerDirector

    def get(self, url: str) -> Answer:
        """The JSON of a page. DirectoryError."""
        if _place(url) != _place(self.origin):
            raise DirectoryError(f"its next page is on another host: `{urlsplit(url).hostname}`")
        return self._asked(Request(url, headers=dict(self.headers)))

    def post(self, form: Mapping[str, str]) -> Answer:
        """The JSON answer of the origin to a form. DirectoryError."""
        return self._asked(Request(self.origin, urlencode(form).encode(), dict(self.headers)))

    def _asked(self, request: Request) -> Answer:
        for number in range(TRIES):
            try:
                return self._once(request)
            except HTTPError as error:
                with error:
                    if error.code not in BUSY or number == TRIES - 1:
                        raise StatusError(error.code, _code(error)) from None
                    pause = pause_of(error.headers, time.time())
                self.deadline.wait(PAUSE * 2**number if pause is None else pause, "asks us to wait")
        raise AssertionError("the last try returns or raises")

    def _once(self, request: Request) -> Answer:
        try:
            with self.opener.open(request, timeout=self.deadline.timeout()) as answer:
                parts, size = [], 0
                while part := answer.read1(1 << 16):
                    size += len(part)
                    if size > LARGEST:
                        raise DirectoryError(f"it sent more than {LARGEST >> 20} MiB at once")
                    self.deadline.timeout()
                    parts.append(part)
                if answer.length:  # of what the header promised, this much is missing
                    raise DirectoryError("it broke off")
                return Answer(_json(b"".join(parts)), answer.headers)
        except HTTPError:
            raise
        except (TimeoutError, ssl.SSLError, OSError, HTTPException, ValueError) as error:
            raise DirectoryError(_reason(error, self.deadline)) from None


def service(url: str, headers: Mapping[str, str], deadline: Deadline, ca: Path | None = None) -> Service:
    """DirectoryError where the URL is none, or would show the secret to everybody on the way."""
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError:
        raise DirectoryError("its URL is none: write `https://host/path`") from None
    if found.username or found.password:
        raise DirectoryError(f"its URL on `{host}` names a user, which must not stand there")
    if found.query or found.fragment:
        raise DirectoryError(f"its URL on `{host}` has a query, where secrets stand: leave that out")
    if not host or found.scheme not in ("https", "http"):
        raise DirectoryError(f"`{url}` is no URL of a service: write `https://host/path`")
    if found.scheme == "http" and host not in LOOPBACK:
        raise DirectoryError(f"`{url}` would show the secret on the way: write `https`")
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError:
        raise DirectoryError(f"`{ca}` holds no certificates that can be read") from None
    direct = [ProxyHandler({})] if found.scheme == "http" else []  # a proxy is not this host
    opener = build_opener(_StayHere, HTTPSHandler(context=context), *direct)
    return Service(url, headers, deadline, opener)


def next_link(headers: Message) -> str | None:
    """The URL of `Link: <…>; rel="next"` (RFC 8288)."""
    for line in headers.get_all("Link", []):
        for url, parameters in re.findall(r"<([^>]*)>([^<]*)", line):
            if re.search(r';\s*rel="?next"?\s*(?:[;,]|$)', parameters):
                return str(url)
    return None


def pause_of(headers: Message, now: float) -> float | None:
    """How many seconds a service asks to wait: `Retry-After` in seconds or as a date (RFC 9110 10.2.3), or
    `X-Rate-Limit-Reset` in Unix seconds, by the service's own clock."""
    asked, reset = headers.get("Retry-After", "").strip(), headers.get("X-Rate-Limit-Reset", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    clock = _moment(headers.get("Date", "")) or now
    until = _moment(asked) or (float(reset[:12]) if reset.isdecimal() else None)
    return None if until is None else max(0.0, until - clock)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _place(url: str) -> tuple[str, str | None, int | None]:
    try:
        found = urlsplit(url)
        return found.scheme, found.hostname, found.port or {"https": 443, "http": 80}.get(found.scheme)
    except ValueError:
        return "", None, None


def _json(data: bytes) -> Any:
    try:
        return read_json(data)
    except DocumentError as error:
        raise DirectoryError(f"its answer {error.reason}") from None


def _code(error: HTTPError) -> str:
    """`invalid_client`, `E0000011`: a word, never a sentence, which may quote what was sent."""
    try:
        found = read_json(error.read(1 << 16))
    except (DocumentError, OSError, HTTPException):
        return ""
    found = found if isinstance(found, dict) else {}
    inner = found.get("error")
    words = [
        inner.get("code") if isinstance(inner, dict) else inner,
        found.get("errorCode"),
        found.get("scimType"),
    ]
    return next((word for word in words if isinstance(word, str) and _CODE.fullmatch(word)), "")


def _reason(error: Exception, deadline: Deadline) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError) or deadline.left <= 0:
        return str(deadline.passed())
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {cause.verify_message}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"it cannot be reached: {cause.strerror.lower()}"
    return "it broke off"
