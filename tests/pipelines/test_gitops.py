"""The hooks of docs/pipelines on a bare repository: pushes from a clone, and packets through a gateway."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns.applying import Host
from tests.netns.namespace import nft

pytestmark = pytest.mark.kernel

HOOKS = Path(__file__).parents[2] / "docs/pipelines/hooks"
WEB = "allow as web a -> b : tcp/443"
MAIL = f"{WEB}\nallow as mail c -> a : tcp/25"
WIDE = f"{MAIL}\nallow as wide c -> b : tcp/22"  # b is tagged `core`


@dataclass
class Forge:
    """A bare repository with the hooks, and a clone to push from."""

    host: Host
    bare: Path
    clone: Path
    environment: dict[str, str]

    def git(self, *arguments: str, code: int = 0, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def configure(self, **settings: str) -> None:
        for key, value in settings.items():
            self.git("config", "--replace-all", f"segc.{key}", value, at=self.bare)

    def commit(self, statements: str, why: str = "a change", *options: str) -> str:
        (self.clone / "policy").mkdir(exist_ok=True)
        (self.clone / "policy/net.seg").write_text(self.host.policy(statements))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", why, *options)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, statements: str, *options: str, code: int = 0) -> str:
        """Commit and push these statements; what the pusher was told. From then on `check` asks of them."""
        self.commit(statements, "a change", *options)
        told = self.git("push", "origin", "HEAD:main", code=code)
        if code == 0:
            self.host.now(statements)
        else:
            self.git("reset", "--hard", "--quiet", "origin/main")
        return told

    def ref(self, name: str) -> str:
        return self.git("rev-parse", "--verify", name, at=self.bare).strip()


@pytest.fixture
def forge(host: Host, program: dict[str, str]) -> Forge:
    bare, clone = host.folder / "policy.git", host.folder / "clone"
    forge = Forge(host, bare, clone, program)
    clone.mkdir()
    forge.git("config", "--global", "user.name", "Ana")
    forge.git("config", "--global", "user.email", "ana@acme.example")
    forge.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    for hook in HOOKS.iterdir():
        (bare / "hooks" / hook.name).symlink_to(hook)
    forge.configure(path="policy", failOn="gains:to-tag=core", where=" ".join(host.where))
    forge.git("clone", "--quiet", str(bare), str(clone), at=host.folder)
    return forge


def test_what_is_pushed_is_enforced_and_what_widens_access_is_not(forge: Forge) -> None:
    host = forge.host
    told = forge.push(WEB)
    assert "remote: gw: generation 1 stands" in told
    host.check("a.5 -> b.7 : tcp/443 yes\nc.5 -> a.7 : tcp/25 no")
    told = forge.push(MAIL)
    assert "remote: opens     c -> a : tcp/25" in told
    host.check("a.5 -> b.7 : tcp/443 yes\nc.5 -> a.7 : tcp/25 yes\nc.5 -> b.7 : tcp/22 no")
    assert host.segc("verify").returncode == 0
    history = host.segc("history").stdout
    assert f"{forge.ref('main')[:7]} a change" in history

    told = forge.push(WIDE, code=1)
    assert "remote: stopped by `--fail-on gains:to-tag=core`: opens c -> b : tcp/22" in told
    assert "push refused: an approver has to sign" in told
    told = forge.push(f"{MAIL}\nallow as lost a -> nowhere : tcp/1", code=1)
    assert "remote: error[SEG101]" in told
    assert "push refused: the policy has findings" in told
    assert forge.ref("main") == forge.ref("refs/segc/deployed")
    host.check("c.5 -> a.7 : tcp/25 yes\nc.5 -> b.7 : tcp/22 no")
    assert host.standing() == (2, 2, None)
    assert host.segc("verify").returncode == 0


def test_an_approver_signs_what_widens_access(forge: Forge) -> None:
    keys = {}
    for name in ("ana", "eve"):
        keys[name] = forge.host.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys[name]], check=True)
    approvers = forge.host.folder / "approvers"
    approvers.write_text(f"ana@acme.example {keys['ana'].with_suffix('.pub').read_text()}")
    forge.configure(approvers=str(approvers))
    forge.git("config", "--global", "gpg.format", "ssh")
    forge.push(MAIL)
    assert "push refused" in forge.push(WIDE, code=1)
    assert "push refused" in forge.push(WIDE, f"--gpg-sign={keys['eve']}", code=1)
    forge.push(WIDE, f"--gpg-sign={keys['ana']}")
    forge.host.check("c.5 -> b.7 : tcp/22 yes")
    signed = forge.ref("main")
    forge.push(MAIL)
    forge.host.check("c.5 -> b.7 : tcp/22 no")
    assert "only added to" in forge.git("push", "--force", "origin", f"{signed}:main", code=1)


def test_a_branch_cannot_be_taken_away_to_begin_anew(forge: Forge) -> None:
    forge.push(MAIL)
    assert "stays" in forge.git("push", "origin", ":main", code=1)
    forge.commit(WIDE)
    forge.git("push", "origin", "HEAD:topic")  # other branches enforce nothing
    assert forge.host.standing() == (1, 1, None)


def test_attributes_and_links_do_not_change_what_is_read(forge: Forge) -> None:
    """Else a policy could read narrow here, and wide once the attribute is gone."""
    forge.push(MAIL)
    wide = forge.host.policy(WIDE)
    (forge.clone / "policy/.gitattributes").write_text("*.seg working-tree-encoding=UTF-16\n")
    (forge.clone / "policy/net.seg").write_text(wide, "utf-16")
    forge.git("add", "--all")
    forge.git("commit", "--quiet", "--message", "encoded")
    assert "gains:to-tag=core" in forge.git("push", "origin", "HEAD:main", code=1)
    forge.git("reset", "--hard", "--quiet", "origin/main")
    secret = forge.host.folder / "secret"
    secret.write_text("top secret\n")
    (forge.clone / "policy/more.seg").symlink_to(secret)
    told = forge.push(MAIL, code=1)
    assert "top secret" not in told
    assert "push refused: the policy has findings" in told


def test_one_commit_is_not_judged_in_place_of_another(forge: Forge) -> None:
    forge.push(MAIL)
    narrow = forge.ref("main")
    twin = forge.commit(MAIL, "nothing", "--allow-empty")
    forge.git("reset", "--hard", "--quiet", "origin/main")
    wide = forge.commit(WIDE)
    forge.git("push", "origin", f"{twin}:refs/replace/{wide}")
    assert "gains:to-tag=core" in forge.git("push", "origin", "HEAD:main", code=1)
    forge.git("reset", "--hard", "--quiet", "origin/main")
    noted = forge.git("push", "--force", "origin", f"{wide}:refs/segc/deployed", code=1)
    assert "`refs/segc/deployed` is what the gateway notes" in noted
    assert forge.ref("refs/segc/deployed") == narrow
    forge.host.check("c.5 -> a.7 : tcp/25 yes\nc.5 -> b.7 : tcp/22 no")


def test_what_fails_its_probe_is_undone_and_not_tried_again(forge: Forge) -> None:
    host = forge.host
    forge.push(WEB)
    forge.configure(probe="echo cannot reach the mail relay; false")
    told = forge.push(MAIL)
    assert "cannot reach the mail relay" in told
    assert "not deployed, exit code 5" in told
    host.now(WEB)
    host.check("a.5 -> b.7 : tcp/443 yes\nc.5 -> a.7 : tcp/25 no")
    assert (host.marker(), host.segc("verify").returncode) == ((1,), 0)
    before = host.transactions()
    argv = [HOOKS / "deploy", "main"]
    done = subprocess.run(argv, cwd=forge.bare, env=forge.environment, capture_output=True, text=True)
    assert (done.returncode, host.transactions()) == (1, before)
    assert "was tried and does not stand" in done.stdout
    forge.configure(probe="true")
    forge.git("revert", "--no-edit", "HEAD")  # rollback by Git: the gateway has it already
    forge.git("push", "origin", "HEAD:main")
    assert forge.ref("main") == forge.ref("refs/segc/deployed")


def test_a_gateway_pulls_and_finds_what_was_changed_by_hand(forge: Forge) -> None:
    """A mirror on the gateway, as the systemd units keep it."""
    host = forge.host
    (forge.bare / "hooks/post-receive").unlink()
    forge.push(WEB)
    assert host.standing() == (None, None, None)
    mirror = host.folder / "mirror.git"
    forge.git("clone", "--quiet", "--bare", str(forge.bare), str(mirror), at=host.folder)
    for key, value in {"path": "policy", "where": " ".join(host.where)}.items():
        forge.git("config", f"segc.{key}", value, at=mirror)

    unit = (HOOKS.parent / "segc-pull.service").read_text()
    fetch, deploy = (line.split()[1:] for line in unit.splitlines() if line.startswith("ExecStart="))

    def pull() -> None:
        forge.git(*fetch, at=mirror)
        subprocess.run([HOOKS / "deploy", *deploy], cwd=mirror, env=forge.environment, check=True)

    pull()
    host.check("a.5 -> b.7 : tcp/443 yes\nc.5 -> a.7 : tcp/25 no")
    host.inside(lambda: nft("add rule inet segc on_forward tcp dport 22 accept\n"))
    done = host.segc("verify")
    assert done.returncode == 3, done.stdout
    assert host.segc("verify", "--heal").returncode == 0
    forge.push(MAIL)
    pull()
    host.check("c.5 -> a.7 : tcp/25 yes")
    forge.commit(WIDE)
    forge.git("tag", "main")
    forge.git("push", "origin", "refs/tags/main")
    pull()
    assert forge.git("rev-parse", "refs/heads/main", at=mirror).strip() == forge.ref("refs/heads/main")
    host.check("c.5 -> a.7 : tcp/25 yes\nc.5 -> b.7 : tcp/22 no")


def test_the_first_policy_of_a_repository_is_compared_with_nothing(forge: Forge) -> None:
    """As where a forge began it with a README."""
    (forge.clone / "README").write_text("The network of Acme.\n")
    forge.git("add", "--all")
    forge.git("commit", "--quiet", "--message", "a readme")
    hook = forge.bare / "hooks/pre-receive"
    hook.rename(aside := hook.with_name("aside"))
    forge.git("push", "origin", "HEAD:main")
    aside.rename(hook)
    assert "generation 1 stands" in forge.push(WIDE)


def test_a_policy_that_moved_is_not_taken_for_a_first_one(forge: Forge) -> None:
    forge.push(MAIL)
    forge.git("mv", "policy", "net")
    forge.git("commit", "--quiet", "--message", "moved")
    forge.configure(path="net")
    told = forge.git("push", "origin", "HEAD:main", code=1)
    assert "`net` held no policy in" in told
    assert "there its `.seg` files lay in `policy`" in told


def test_each_of_several_gateways_knows_which_it_is(forge: Forge) -> None:
    other = "gateway other { interface wan0 { zone net  address dhcp }  interface far0 { zone b } }\n"
    forge.host.zones += other
    assert "exit code 2" in forge.push(f"{WEB}\nallow a -> c : tcp/80")
    forge.configure(node="gw")
    assert "generation 1 stands" in forge.push(WEB)


def test_what_could_not_begin_is_tried_again(forge: Forge) -> None:
    """As where somebody else was at work, or had something to confirm: nothing was changed."""
    host = forge.host
    forge.push(WEB)
    with host.state.locked():
        assert "another segc is at work" in forge.push(MAIL)
    host.now(WEB)
    host.check("c.5 -> a.7 : tcp/25 no")
    argv = [HOOKS / "deploy", "main"]
    subprocess.run(argv, cwd=forge.bare, env=forge.environment, check=True)
    host.now(MAIL)
    host.check("c.5 -> a.7 : tcp/25 yes")
    assert forge.ref("main") == forge.ref("refs/segc/deployed")


def test_a_policy_of_another_ending_is_compared_as_well(forge: Forge) -> None:
    """Only of a folder is it known that nothing but `.seg` files are policy."""
    forge.configure(path="policy/net.txt")

    def push(statements: str, code: int = 0) -> str:
        (forge.clone / "policy").mkdir(exist_ok=True)
        (forge.clone / "policy/net.txt").write_text(forge.host.policy(statements))
        forge.git("add", "--all")
        forge.git("commit", "--quiet", "--message", "a change")
        return forge.git("push", "origin", "HEAD:main", code=code)

    push(MAIL)
    assert "gains:to-tag=core" in push(WIDE, code=1)
