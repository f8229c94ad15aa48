"""Reading files, folders and imports, and what can be wrong with them."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from segc.diagnostics.model import Diagnostic
from segc.syntax import tree as t
from segc.workspace import Workspace, load
from segc.workspace.folder import _walk

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGC_CACHE", "0")

    def to(path: str, text: str | bytes) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return to


def paths(found: Workspace) -> list[str]:
    return [source.path for source, _ in found.files]


def messages(found: Workspace) -> list[str]:
    return [d.message for d in found.diagnostics]


def test_a_folder_is_read_whole_but_for_what_is_hidden(write: Write) -> None:
    for path in ["p/b.seg", "p/a.seg", "p/sub/deep/c.seg", "p/.hidden/d.seg", "p/.e.seg", "p/notes.txt"]:
        write(path, "zone a {}")
    found = load(["./p/"])
    assert found.diagnostics == ()
    assert paths(found) == ["p/a.seg", "p/b.seg", "p/sub/deep/c.seg"]
    assert [source.path for source in found.sources] == paths(found)


def test_what_nobody_may_look_at_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder behind it could hold a `deny`; root may look everywhere, so this does not ask the kernel."""
    write("p/a.seg", "zone a {}")
    for name in ("p/closed", "p/b.seg", "closed.seg"):
        write(name, "")
    found = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name in ("closed", "b.seg", "closed.seg"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    assert messages(load(["p", "closed.seg"])) == [
        f"`{name}` cannot be read: permission denied" for name in ("closed.seg", "p/b.seg", "p/closed")
    ]


def test_what_was_compiled_is_not_read_again(write: Write) -> None:
    """`segc compile . -o build` puts copies of the policy below the policy."""
    manifest = '{"segc": "0.1.0", "files": {"policy/a.seg": "00", "late.seg": "00"}}'
    for path, text in {
        "p/a.seg": "zone a {}", "p/build/gw/policy/a.seg": "zone a {}", "p/build/gw/manifest.json": manifest,
        "p/site/policy/b.seg": "zone b {}", "p/site/manifest.json": '{"name": "of something else"}',
        "p/build/gw/late.seg": "zone d {}", "p/odd/c.seg": "zone c {}", "p/odd/manifest.json": "[" * 100_000,
    }.items():  # fmt: skip
        write(path, text)
    found = load(["p"])
    assert found.diagnostics == ()
    assert paths(found) == ["p/a.seg", "p/build/gw/late.seg", "p/odd/c.seg", "p/site/policy/b.seg"]
    assert paths(load(["p/build/gw"])) == ["p/build/gw/late.seg", "p/build/gw/policy/a.seg"]
    Path("p/build/gw/late.seg").unlink()
    Path("p/again").symlink_to("build/gw/policy")
    assert paths(load(["p"])) == ["p/a.seg", "p/odd/c.seg", "p/site/policy/b.seg"]
    write("q/deep/build/gw/policy/a.seg", "zone a {}")
    write("q/deep/build/gw/manifest.json", manifest)
    for folder in ("p/build", "q"):
        (message,) = messages(load([folder]))
        assert message.endswith("but for what `segc compile` wrote")


def test_the_order_of_arguments_does_not_matter(write: Write) -> None:
    write("p/a.seg", 'zone a {}\nimport "../x.seg"')
    write("x.seg", "zone x { vlan y }")
    write("b.seg", "alow")
    assert load(["p", "b.seg", "x.seg"]) == load(["x.seg", "b.seg", "p/a.seg", "p"])


def test_imports_are_relative_to_their_file_and_read_once(write: Write) -> None:
    write("a.seg", 'import "lib/one.seg" import "lib/../lib/two.seg"')
    write("lib/one.seg", 'import "two.seg"')
    write("lib/two.seg", "zone a {}")
    found = load(["a.seg", "lib"])
    assert found.diagnostics == ()
    assert paths(found) == ["a.seg", "lib/one.seg", "lib/two.seg"]


def test_links_are_followed_and_their_loops_survived(write: Write, tmp_path: Path) -> None:
    write("p/a.seg", "zone a {}")
    write("elsewhere/b.seg", "zone b {}")
    (tmp_path / "p/loop").symlink_to(tmp_path / "p")
    (tmp_path / "p/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "p/again.seg").symlink_to(tmp_path / "p/a.seg")
    (tmp_path / "p/self.seg").symlink_to(tmp_path / "p/self.seg")
    found = load(["p"])
    assert len(found.files) == 2
    (message,) = messages(found)
    assert message.startswith("`p/self.seg` cannot be read: too many levels of symbolic links")


def test_an_import_goes_up_from_where_a_linked_folder_lies(write: Write, tmp_path: Path) -> None:
    write("site/net/a.seg", 'import "../lib/b.seg"')
    write("site/lib/b.seg", "zone b {}")
    write("lib/b.seg", "zone other {}")
    (tmp_path / "link").symlink_to("site/net")
    found = load(["link"])
    assert found.diagnostics == ()
    assert paths(found) == ["link/../lib/b.seg", "link/a.seg"]
    assert "zone b {}" in {source.text for source in found.sources}


def test_a_cycle_of_imports_is_shown(write: Write) -> None:
    write("a.seg", 'import "b.seg"')
    write("b.seg", 'zone b {}\nimport "c.seg"')
    write("c.seg", 'import "a.seg" import "c.seg"')
    whole, own = load(["a.seg"]).diagnostics
    assert (whole.code, own.code) == ("SEG003", "SEG003")
    assert whole.message == "`c.seg` imports `a.seg`, which closes a cycle of imports"
    assert whole.primary is not None
    assert whole.primary.span.place == "c.seg:1"
    assert [label.span.place for label in whole.secondary] == ["a.seg:1", "b.seg:2"]
    assert whole.notes == ("a.seg -> b.seg -> c.seg -> a.seg",)
    assert own.notes == ("c.seg -> c.seg",)


def test_a_diamond_of_imports_is_no_cycle(write: Write) -> None:
    write("a.seg", 'import "b.seg" import "c.seg"')
    write("b.seg", 'import "d.seg"')
    write("c.seg", 'import "d.seg"')
    write("d.seg", "")
    assert load(["a.seg"]).diagnostics == ()


def test_a_long_chain_of_imports(write: Write) -> None:
    for i in range(3000):
        write(f"f{i}.seg", f'import "f{(i + 1) % 3000}.seg"')
    (found,) = load(["f0.seg"]).diagnostics
    assert found.code == "SEG003"


@pytest.mark.parametrize(
    ("data", "message", "underlined"),
    [
        (
            b"zone a {}\nzone \xe9 {}",
            "`x.seg` is not UTF-8: it holds the byte 0xe9 (byte 15, line 2)",
            "\ufffd",
        ),
        (
            "zone é".encode() + b"\xff",
            "`x.seg` is not UTF-8: it holds the byte 0xff (byte 7, line 1)",
            "\ufffd",
        ),
        ("zone a".encode("utf-16"), "`x.seg` is UTF-16, not UTF-8 (byte 0, line 1)", "\ufffd"),
        (b"# \xc3\xa9\nzone\0a", "`x.seg` holds a NUL byte (byte 9, line 2)", "\0"),
    ],
)
def test_files_that_are_not_text(write: Write, data: bytes, message: str, underlined: str) -> None:
    write("x.seg", data)
    found = load(["x.seg"])
    (diagnostic,) = found.diagnostics
    (source,) = found.sources
    assert (diagnostic.code, diagnostic.message) == ("SEG002", message)
    assert diagnostic.primary is not None
    assert source.text[diagnostic.primary.span.start : diagnostic.primary.span.end] == underlined
    assert found.files == ()


def test_an_empty_path_is_told(write: Write) -> None:
    write("a.seg", "zone a { external }")
    assert messages(load([""])) == ["the path is empty"]


def test_what_cannot_be_read_at_all(write: Write, tmp_path: Path) -> None:
    write("p/readme.txt", "")
    write("p.seg/readme.txt", "")
    write("a.seg", 'import "none.seg"\nimport "p.seg"\nimport "pipe.seg"')
    os.mkfifo(tmp_path / "pipe.seg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.seg")
        found = load(["missing.seg", "p", "a.seg", "socket.seg"])
    assert [(d.message, d.primary.span.line if d.primary else 0) for d in found.diagnostics] == [
        ("`missing.seg` cannot be read: no such file or directory", 0),
        ("`socket.seg` is neither a file nor a folder", 0),
        ("the folder `p` holds no policy: no file below it ends in `.seg`", 0),
        ("`none.seg` cannot be read: no such file or directory", 1),
        ("`p.seg` is a folder, and `import` takes a file", 2),
        ("`pipe.seg` is neither a file nor a folder", 3),
    ]


def test_nothing_but_what_was_named_is_waited_for(write: Write, tmp_path: Path) -> None:
    names = ["zero", "null", "loop", "kmsg", "folder"]
    write("p/a.seg", " ".join(f'import "../{name}.seg"' for name in names))
    os.mkfifo(tmp_path / "p/pipe.seg")
    targets = ["/dev/zero", "/dev/null", "loop.seg", "/proc/kmsg", "p"]
    for name, target in zip(names, targets, strict=True):
        (tmp_path / f"{name}.seg").symlink_to(target)
    assert [each[:28] for each in messages(load(["/proc/kmsg"]))] == ["`/proc/kmsg` cannot be read:"]
    pipe, zero, null, loop, kmsg, folder = messages(load(["p"]))
    assert pipe == "`p/pipe.seg` is neither a file nor a folder"
    assert zero == "`zero.seg` is neither a file nor a folder"
    assert null == "`null.seg` is neither a file nor a folder"
    assert loop == "`loop.seg` cannot be read: too many levels of symbolic links"
    assert kmsg.startswith("`kmsg.seg` ")
    assert folder == "`folder.seg` is a folder, and `import` takes a file"


def test_only_policies_are_imported(write: Write) -> None:
    write("a.seg", 'import "/etc/passwd" import "b.SEG" import "" import ".seg"')
    write("b.SEG", "alow")
    assert messages(load(["a.seg"])) == [
        "`/etc/passwd` is no policy: its name does not end in `.seg`",
        "`b.SEG` is no policy: its name does not end in `.seg`",
        "`.` is no policy: its name does not end in `.seg`",
        "`.seg` cannot be read: no such file or directory",
    ]


def test_a_link_shows_no_text_that_is_no_policy(write: Write) -> None:
    """Whoever may send a policy, to a hook or a pull request, must not read other files of the host by it."""
    secret = write("key.txt", "secret")
    write("p/a.seg", 'import "../key.seg"')
    write("lib/b.seg", "zone b {}")
    Path("key.seg").symlink_to(secret)
    Path("p/key.seg").symlink_to(secret)
    Path("p/b.seg").symlink_to(Path("lib/b.seg").resolve())
    found = load(["p"])
    assert messages(found) == [
        "`p/key.seg` leads to a file that is no policy: its name does not end in `.seg`",
        "`key.seg` leads to a file that is no policy: its name does not end in `.seg`",
    ]
    assert [source.path for source in found.sources] == ["p/a.seg", "p/b.seg"]


def test_a_file_that_is_gone_or_another_thing_by_the_time_it_is_read(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        write(f"p/{name}.seg", "zone a {}")
    stat = Path.stat

    def walk_then_delete(top: str, wrong: list[Diagnostic]) -> list[str]:
        found = list(_walk(top, wrong))
        (tmp_path / "p/a.seg").unlink()
        return found

    def stat_then_exchange(path: Path, **options: bool) -> os.stat_result:
        result = stat(path, **options)
        if path.name == "b.seg" and os.path.isfile(path):  # noqa: PTH113 (`is_file` would come here again)
            path.unlink()
            os.mkfifo(path)
        return result

    monkeypatch.setattr("segc.workspace.folder._walk", walk_then_delete)
    monkeypatch.setattr(Path, "stat", stat_then_exchange)
    assert [name for name in messages(load(["p"])) if "a.seg" in name] == [
        "`p/a.seg` cannot be read: no such file or directory"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else(write: Write) -> None:
    write("x.seg", "").chmod(0)
    (found,) = load(["x.seg"]).diagnostics
    assert found.message == "`x.seg` cannot be read: permission denied"
    assert found.help == "let the user who runs segc read it"


def test_a_file_too_large(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segc.workspace.paths.MAX_BYTES", 1 << 20)
    write("fits.seg", "#" * (1 << 20))
    write("x.seg", "#" * ((1 << 20) + 1))
    assert messages(load(["fits.seg", "x.seg"])) == ["`x.seg` is larger than 1 MiB"]


def test_a_piped_policy(write: Write) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"zone a {}")
    os.close(writing)
    found = load([f"/dev/fd/{reading}"])
    os.close(reading)
    assert found.diagnostics == ()
    assert isinstance(found.files[0][1].statements[0], t.ZoneDef)


def test_names_that_are_not_text_can_be_shown(write: Write, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/p/\xff.seg")).write_text("alow")
    found = load(["p"])
    assert paths(found) == ["p/\ufffd.seg"]
    assert len(found.diagnostics) == 1


def test_a_cached_tree_is_the_tree(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGC_CACHE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write("x.seg", 'zone a { vlan 1 }\nallow a.b -> any : tcp/80 because "x"')
    first = load(["x.seg"])
    names = sorted(entry.name.partition("-")[0] for entry in (tmp_path / "cache/segc").iterdir())
    assert {"flows", "rest"} <= set(names)

    def fail(*_: object) -> None:
        raise AssertionError("parsed again")

    with monkeypatch.context() as patch:
        patch.setattr("segc.syntax.parse.parse", fail)
        again = load(["x.seg"])
        assert again.files[0][1].statements == first.files[0][1].statements
    flow = again.files[0][1].statements[1]
    assert flow.span == first.files[0][1].statements[1].span
    file.write_text("zone b {}")
    assert load(["x.seg"]).files[0][1].statements[0] != first.files[0][1].statements[0]


def test_damaged_entries_are_ignored(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGC_CACHE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write("x.seg", "zone a {}")
    first = load(["x.seg"])
    for entry in (tmp_path / "cache/segc").iterdir():
        entry.write_bytes(entry.read_bytes()[:-3])
    assert load(["x.seg"]) == first


def test_a_misleading_character_is_told_of_when_the_file_is_in_the_cache_as_well(tmp_path):
    path = tmp_path / "p.seg"
    path.write_text('zone hr { about "a\u202e" }\n')
    for _ in range(2):
        assert [each.code for each in load([str(path)]).diagnostics] == ["SEG007"]
