"""The journal: whatever is cut off or broken, nothing comes back that was not written."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import pytest

from segc.sessions import journal as module
from segc.sessions.journal import DamagedError, Journal, LockedError, Record, stored

RECORDS: list[Record] = [["session", number, "ä" * number] for number in range(5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def written(folder: Path, records: list[Record]) -> None:
    journal = opened(folder)
    journal.append(records)
    journal.close()


def opened(folder: Path) -> Journal:
    journal = Journal(folder)
    journal.found = list(journal.read())  # type: ignore[attr-defined]
    return journal


def read(folder: Path) -> list[Record]:
    journal = Journal(folder)
    try:
        return list(journal.read())
    finally:
        journal.close()


def test_what_is_appended_is_read(folder: Path) -> None:
    written(folder, RECORDS[:2])
    written(folder, RECORDS[2:])
    assert read(folder) == RECORDS


def test_cut_off_at_any_byte_it_is_a_beginning(folder: Path) -> None:
    written(folder, RECORDS)
    path = folder / "journal.1"
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert read(folder) == RECORDS[: sum(end <= size for end in ends)]
        written(folder, [["after"]])
        assert read(folder)[-1] == ["after"]


def test_zeros_after_a_power_cut_are_a_torn_end(folder: Path) -> None:
    written(folder, RECORDS)
    with (folder / "journal.1").open("ab") as file:
        file.write(bytes(4096))
    assert read(folder) == RECORDS


def test_damage_in_the_middle_is_told(folder: Path) -> None:
    written(folder, RECORDS)
    path, rng = folder / "journal.1", random.Random(1)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, len(whole) - 1)
    for at in rng.sample(range(last), 60):
        for new in {rng.randrange(256), 10, 0} - {whole[at]}:
            path.write_bytes(whole[:at] + bytes([new]) + whole[at + 1 :])
            with pytest.raises(DamagedError):
                read(folder)


def test_only_one_agent_has_it(folder: Path) -> None:
    journal = Journal(folder)
    code = (
        f"from pathlib import Path; from segc.sessions.journal import Journal; Journal(Path({str(folder)!r}))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert LockedError.__name__ in done.stderr
    journal.close()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_snapshot_takes_the_place_of_what_was_before(folder: Path) -> None:
    journal = opened(folder)
    journal.append(RECORDS)
    number = journal.turn()
    journal.append([["while the snapshot is written"]])
    assert [*read_again(folder)] == [*RECORDS, ["while the snapshot is written"]], "no snapshot yet"
    journal.write_snapshot(number, RECORDS[:1])
    journal.forget(number)
    journal.close()
    assert read(folder) == [RECORDS[0], ["while the snapshot is written"]]
    assert sorted(path.name for path in folder.iterdir()) == ["journal.2", "lock", "snapshot.2"]


def read_again(folder: Path) -> Iterator[Record]:
    """What a restart at this moment would find."""
    from shutil import copytree

    copy = folder.with_name("copy")
    copytree(folder, copy)
    yield from read(copy)


def test_a_snapshot_that_was_not_finished_does_not_count(folder: Path) -> None:
    journal = opened(folder)
    journal.append(RECORDS)

    def broken() -> Iterator[Record]:
        yield RECORDS[0]
        raise OSError("no space")

    number = journal.turn()
    with pytest.raises(OSError, match="no space"):
        journal.write_snapshot(number, broken())
    journal.forget(number)
    journal.close()
    assert read(folder) == RECORDS


def test_it_asks_to_be_shortened_by_what_it_has_grown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT", 1000)
    journal = opened(folder)
    for number in count():
        assert number < 1000
        if journal.wants_compaction:
            break
        journal.append(RECORDS)
    assert 1000 < journal.size < 2000
    journal.write_snapshot(journal.turn(), RECORDS * 100)
    journal.append(RECORDS * 10)
    assert not journal.wants_compaction
    journal.close()


def test_what_could_not_be_cut_off_is_before_anything_follows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what follows would stand behind half a record, and all of it count as damaged."""
    journal = opened(folder)
    journal.append(RECORDS[:1])

    def fails(*_: object) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(module.os, "fdatasync", fails)
        broken.setattr(module.os, "ftruncate", fails)
        for _ in range(2):
            with pytest.raises(OSError, match="input/output"):
                journal.append(RECORDS[1:2])
    journal.append(RECORDS[2:])
    journal.close()
    assert read(folder) == [RECORDS[0], *RECORDS[2:]]


def test_what_a_power_cut_left_of_a_compaction_is_taken_away(folder: Path) -> None:
    journal = opened(folder)
    journal.append(RECORDS)
    journal.write_snapshot(journal.turn(), RECORDS)
    journal.close()
    (folder / ".snapshot.3.new").write_bytes(b"half a snapsh")
    (folder / ".snapshot.2.new").write_bytes(b"half a snapsh")
    assert (folder / "journal.1").exists()
    assert read(folder) == RECORDS
    assert sorted(path.name for path in folder.iterdir()) == ["journal.2", "lock", "snapshot.2"]


def test_who_only_looks_during_a_compaction_sees_all_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(folder)
    journal.append(RECORDS)
    journal.write_snapshot(journal.turn(), RECORDS)
    journal.forget(2)
    journal.append([["more"]])
    records, compacted = module._records, list[int]()

    def slowly(path: Path, whole: bool) -> Generator[Record, None, int]:
        found = yield from records(path, whole)
        if not compacted:
            compacted.append(journal.turn())
            journal.write_snapshot(3, [*RECORDS, ["more"]])
            journal.forget(3)
        return found

    monkeypatch.setattr(module, "_records", slowly)
    assert list(stored(folder)) == [*RECORDS, ["more"]]
    journal.close()
