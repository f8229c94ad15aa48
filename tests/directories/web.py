"""An HTTP server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # by name in lower case
    form: dict[str, str]


class Reply(NamedTuple):
    content: Any
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 (never changed)


@dataclass
class Web:
    """`answer` is called for each request, in turn."""

    answer: Callable[[Request], Reply]
    url: str = ""
    asked: list[Request] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[Web]:
    web = Web(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            url = urlsplit(self.path)
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size).decode()
            pairs = ({k: v[0] for k, v in parse_qs(text).items()} for text in (url.query, body))
            query, form = pairs
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, url.path, query, headers, form)
            web.asked.append(request)
            found = web.answer(request)
            data = found.content if isinstance(found.content, bytes) else json.dumps(found.content).encode()
            self.send_response_only(found.status)
            for name, value in {"Content-Length": str(len(data)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            if "Content-Length" in found.headers:  # which then is not true
                self.close_connection = True

        do_GET = do_POST = reply  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
