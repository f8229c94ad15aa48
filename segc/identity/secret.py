"""What segc proves itself to a directory by: from a file or the environment, and never shown.

Looked for, with the directory's name in capitals and `_` for what is no letter or digit:

    SEGC_CORP_SECRET_FILE         a file that holds it
    $CREDENTIALS_DIRECTORY/corp   what systemd passed on (`LoadCredential=corp:…`, systemd.exec(5))
    /etc/segc/secrets/corp
    SEGC_CORP_SECRET              itself
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from urllib.parse import quote, quote_plus

from segc.frozen import frozen
from segc.identity.errors import DirectoryError
from segc.space.words import system_reason

HIDDEN = "(secret)"
FOLDER = Path("/etc/segc/secrets")
LONGEST = 16 << 10


@frozen
class Secret:
    """`revealed` is for the wire only. Printing it shows nothing."""

    revealed: str = field(repr=False)

    def __str__(self) -> str:
        return HIDDEN

    def hidden_in(self, text: str) -> str:
        """The text without it, however it may have been written for a URL."""
        for form in {self.revealed, quote(self.revealed, safe=""), quote_plus(self.revealed)}:
            text = text.replace(form, HIDDEN)
        return text


def variable(name: str) -> str:
    return f"SEGC_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_SECRET"


def find_secret(name: str, environment: Mapping[str, str]) -> Secret:
    """The secret of the directory `name`. DirectoryError where there is none, or none that can be sent."""
    holder = environment.get(f"{variable(name)}_FILE")
    places = (Path(environment.get("CREDENTIALS_DIRECTORY", FOLDER), name), FOLDER / name)
    found = Path(holder) if holder else next((path for path in places if path.is_file()), None)
    if found is not None:
        text = _content(name, found)
    elif variable(name) in environment:
        text = environment[variable(name)]
    else:
        raise DirectoryError(
            f"the secret of `{name}` is not known: put it into a file and name that in "
            f"`{variable(name)}_FILE`"
        )
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or not text.isprintable() or len(text) > LONGEST:
        raise DirectoryError(f"the secret of `{name}` is not one line of printable text")
    return Secret(text)


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST + 3).decode()
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        reason = system_reason(error)
        raise DirectoryError(f"the secret of `{name}` in `{path}` cannot be read: {reason}") from None
