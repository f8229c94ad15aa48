"""Asking the agent from another process. Imports little, as servers wait for the hooks that use it."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from segc.document import DocumentError, read_json

RUN = Path("/run/segc")
PATIENCE = 10.0  # seconds


class UnansweredError(Exception):
    """Nobody answers; in words for people."""


def socket_path(netns: str = "") -> Path:
    """Where the agent of the host, or of a network namespace, listens unless told otherwise."""
    return (RUN / "netns" / netns if netns else RUN) / "sessions.sock"


def ask(path: Path, request: dict[str, Any], patience: float = PATIENCE) -> dict[str, Any]:
    """The agent's answer to one request, `ok` or not. UnansweredError where there is none in time."""
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(patience)
            agent.connect(str(path))
            with suppress(BrokenPipeError):  # it has said why it does not want to be asked
                agent.sendall(json.dumps(request).encode() + b"\n")
            with agent.makefile("rb") as lines:
                found = read_json(lines.readline() or b"null")
    except (FileNotFoundError, ConnectionRefusedError):
        raise UnansweredError(f"no agent listens on `{path}`: is `segc agent` running?") from None
    except PermissionError:
        raise UnansweredError(f"`{path}` is for root and members of the group segc") from None
    except TimeoutError:
        raise UnansweredError(f"the agent on `{path}` does not answer") from None
    except DocumentError as error:
        raise UnansweredError(f"what the agent on `{path}` answers {error.reason}") from None
    except OSError as error:
        raise UnansweredError(f"the agent on `{path}` cannot be asked: {error}") from None
    if not isinstance(found, dict):
        raise UnansweredError(f"the agent on `{path}` hung up without an answer")
    return found
