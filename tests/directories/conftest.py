"""A folder with a policy for every test; after it, nothing that was said or written holds the secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.directories.site import SECRET, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "policy"
    folder.mkdir()
    found = Site(folder, {"SEGC_CORP_SECRET_FILE": str(folder / "corp.secret")})
    found.keep(SECRET)
    yield found
    written = found.written()
    for secret in found.planted:
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            assert form.encode() not in written
