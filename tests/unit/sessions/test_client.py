"""Whoever asks the agent hears why it does not want to be asked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from segc.sessions import client
from segc.sessions.sources import hook

LONG = {"do": "bind", "user": "x" * (8 << 20)}  # more than a socket takes before the agent hangs up


def dismiss(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b'{"ok":false,"error":"too many ask at once: try again"}\n')


@pytest.mark.parametrize("ask", [client.ask, lambda path, request: hook.ask(str(path), request)])
def test_a_refusal_before_the_question_is_heard(tmp_path: Path, ask: Callable[..., Any]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        agent = Thread(target=dismiss, args=[listener])
        agent.start()
        found = ask(tmp_path / "sock", LONG)
        agent.join()
    assert found == {"ok": False, "error": "too many ask at once: try again"}
