"""What is kept between runs, and when it is not trusted."""

import os
from pathlib import Path

import pytest

from segc import cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SEGC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "segc"


def test_what_is_put_can_be_got(folder: Path) -> None:
    key = cache.key("a", b"b")
    assert cache.get("kind", key) is None
    cache.put("kind", key, b"data")
    assert cache.get("kind", key) == b"data"
    assert cache.get("other", key) is None
    cache.store("object", key, {"a": (1, 2)})
    assert cache.load("object", key) == {"a": (1, 2)}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_keys_tell_their_parts_apart() -> None:
    assert len({cache.key("ab", "c"), cache.key("a", "bc"), cache.key("abc"), cache.key("abc", "")}) == 4
    assert cache.key("\udcff")


def test_damage_is_noticed(folder: Path) -> None:
    cache.put("kind", "k", b"data")
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    for damaged in (b"", whole[:-1], whole[:-1] + b"x", b"x" + whole[1:]):
        entry.write_bytes(damaged)
        assert cache.get("kind", "k") is None
    cache.put("kind", "k", b"no pickle")
    assert cache.load("kind", "k") is None


def test_it_can_be_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("kind", "k", b"data")
    monkeypatch.setenv("SEGC_CACHE", "0")
    assert cache.get("kind", "k") is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_not_trusted(folder: Path, mode: int) -> None:
    cache.put("kind", "k", b"data")
    folder.chmod(mode)
    assert cache.get("kind", "k") is None
    cache.put("kind", "new", b"data")
    assert not (folder / "kind-new").exists()


def test_a_link_is_not_trusted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    assert cache.directory() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_trusted(folder: Path) -> None:
    cache.put("kind", "k", b"data")
    os.chown(folder, 65534, 65534)
    assert cache.get("kind", "k") is None


def test_no_folder_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("SEGC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache.put("kind", "k", b"data")
    assert cache.get("kind", "k") is None


def test_a_relative_cache_home_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.directory() == tmp_path / ".cache/segc"


def test_the_oldest_entries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 10_000)
    monkeypatch.setattr(cache, "PRUNE_EVERY", 0)
    for i in range(20):
        cache.put("kind", f"{i:02}", bytes(1000))
        os.utime(folder / f"kind-{i:02}", (i, i))
        assert cache.get("kind", "00") is not None  # and so it is never the oldest
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000
    assert cache.get("kind", "19") is not None
    assert cache.get("kind", "01") is None


def test_a_huge_entry_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 1000)
    cache.put("kind", "k", bytes(500))
    assert cache.get("kind", "k") is None


def test_another_program_has_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("__init__.py", "cache.py", "policy/model.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    first = cache.program.__wrapped__()
    assert cache.program.__wrapped__() == first
    (tmp_path / "policy" / "model.py").write_text("x = 12\n")
    assert cache.program.__wrapped__() != first
