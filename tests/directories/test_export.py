"""Exports: CSV and JSON as directories write them, JumpCloud's among them, and files that were cut off."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.directories.site import Site

SETTINGS = '[corp]\nkind = "export"\nfile = "people.csv"\n'
ROWS = """\
email,groups,suspended
Ana@acme.example,sg-finance;sg-hr,
bo@acme.example,sg-finance,false
cem@acme.example,sg-finance,TRUE
"""


@pytest.fixture
def corp(site: Site) -> Site:
    site.policy(["sg-finance"])
    site.settings(SETTINGS)
    return site


def write(site: Site, text: str | bytes, name: str = "people.csv") -> None:
    (site.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def finance(site: Site, settings: str = SETTINGS) -> list[str]:
    site.settings(settings)
    groups = site.synced()["corp"]["groups"]
    found: list[str] = {name.lower(): each["members"] for name, each in groups.items()}["sg-finance"]
    return found


BOTH = ["ana@acme.example", "bo@acme.example"]
LISTED = [
    {"email": "ana@acme.example", "groups": ["sg-finance"]},
    {"email": "bo@acme.example", "groups": "sg-finance"},
]


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace("\n", "\r\n"),
        "\ufeff" + ROWS,
        ROWS.encode("utf-16"),
        'Group,"User"\nsg-finance,ana@acme.example\n"sg-finance","bo@acme.example"\nsg-hr,bo@acme.example\n',
        'email;groups\r\nana@acme.example;"sg-finance;sg-hr"\r\nbo@acme.example;sg-finance\r\n',
        ROWS.replace(",", "\t"),
        ROWS.replace("bo@acme.example,sg-finance", "bo@acme.example,SG-Finance"),
    ],
)
def test_tables(corp: Site, text: str | bytes) -> None:
    write(corp, text)
    assert finance(corp) == BOTH


@pytest.mark.parametrize(
    "content",
    [
        LISTED,
        {"users": LISTED},
        {"totalCount": 2, "results": LISTED},
        {"value": [{"userPrincipalName": name, "memberOf": [{"name": "sg-finance"}]} for name in BOTH]},
        {"users": BOTH, "groups": {"sg-finance": ["inner"], "inner": [*BOTH, "sg-finance", "stranger"]}},
    ],
)  # fmt: skip
def test_json(corp: Site, content: Any) -> None:
    write(corp, json.dumps(content), "people.json")
    assert finance(corp, SETTINGS.replace(".csv", ".json")) == BOTH


def test_jumpcloud_s_backup(corp: Site) -> None:
    """Columns of `Get-JCBackup`: users by their id, name and address, members of groups by name."""
    write(corp, '"_id","username","email","activated","suspended","state"\n'
                '"5f1","ana","ana@acme.example","True","False","ACTIVATED"\n'
                '"5f2","bo","bo@acme.example","True","False","ACTIVATED"\n'
                '"5f3","cem","cem@acme.example","True","True","SUSPENDED"\n'
                '"5f4","dora","dora@acme.example","False","False","STAGED"\n')  # fmt: skip
    rows = "".join(
        f'"sg-finance","{name}","5f{n}"\n' for n, name in enumerate(("ana", "bo", "cem", "dora"), 1)
    )
    write(corp, '"GroupName","Username","UserID"\n' + rows, "members.csv")
    assert finance(corp, SETTINGS + 'members = "members.csv"\n') == BOTH
    assert finance(corp, SETTINGS + 'members = "members.csv"\nuser = "username"\n') == ["ana", "bo"]


def test_people_and_groups_have_no_case(corp: Site) -> None:
    """Whoever a group is said to hold in another case than the list of people must not be passed over."""
    groups = {"SG-Finance": ["ANA@acme.example", "Inner"], "INNER": ["bo@Acme.example", "sg-finance"]}
    write(corp, json.dumps({"users": BOTH, "groups": groups}), "people.json")
    assert finance(corp, SETTINGS.replace("people.csv", "people.json")) == BOTH
    write(corp, "username,email\nAna,ana@acme.example\nbo,Bo@acme.example\n")
    write(corp, "groupname,user\nsg-finance,ana\nSG-FINANCE,bo@acme.example\n", "members.csv")
    assert finance(corp, SETTINGS + 'members = "members.csv"\n') == BOTH


MEMBERS = SETTINGS + 'members = "members.csv"\n'
NUMBERED = "id,email\n1,ana@acme.example\n2,bo@acme.example\n"


@pytest.mark.parametrize(
    "members",
    [
        "id,groupname,email\n2,sg-finance,ana@acme.example\n2,sg-finance,bo@acme.example\n",
        "id,groupname,userid\n7,sg-finance,1\n7,sg-finance,2\n",
        "id,groupname\n1,sg-finance\n2,sg-finance\n",
    ],
)
def test_an_id_beside_a_name_is_the_group_s(corp: Site, members: str) -> None:
    write(corp, NUMBERED)
    write(corp, members, "members.csv")
    assert finance(corp, MEMBERS) == BOTH


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ("id,groupname,who\n2,sg-finance,ana@acme.example\n", "`members.csv` has no column `userid` or "),
        ("groupname,user\nsg-finance,ana.a\n", "`members.csv`: no `user` is one of `people.csv`"),
        ("id,groupname\n7,sg-finance\n", "`members.csv`: no `id` is one of `people.csv`"),
    ],
)
def test_members_that_nobody_is(corp: Site, members: str, words: str) -> None:
    write(corp, NUMBERED)
    write(corp, members, "members.csv")
    corp.settings(MEMBERS)
    corp.refused(words)


def test_groups_of_an_account_that_is_shut_are_not_those_of_another_of_that_name(corp: Site) -> None:
    write(corp, ROWS + "CEM@acme.example,sg-other,false\n")
    assert finance(corp) == BOTH


def test_an_export_of_nobody_has_to_be_confirmed(corp: Site) -> None:
    write(corp, ROWS)
    finance(corp)
    write(corp, "email,groups,suspended\n")
    done = corp.sync()
    assert (done.returncode, "lists nobody any more" in done.stderr) == (4, True), done.stderr
    corp.settings(SETTINGS.replace(".csv", ".json"))
    write(corp, "[]", "people.json")
    assert corp.sync().returncode == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "`people.csv` has no column `user` or `email`"),
        ("E-Mail,Gruppen\nana@acme.example,x\n", "`login`: it has `e-mail`, `gruppen`"),
        ("email,groups,Groups\nana@acme.example,a,b\n", "has two columns `groups`: which one counts?"),
        ("email\njörg@acme.example\n".encode("cp1252"), "is not UTF-8"),
        ("email\njörgs@acme.example\n".encode("cp1252"), "is not UTF-8"),
        ("email,groups\nana@acme.example,sg-finance\nbo@ac", "record 3 has not 2 columns: was it cut off?"),
        ('email,groups\n"ana@acme.example,sg-finance\n', "line 2: unexpected end of data"),
        (b"email\n\xff\xfe\xff", "is not UTF-8"),
    ],
)
def test_what_is_cut_off_is_refused(corp: Site, text: str | bytes, words: str) -> None:
    write(corp, ROWS)
    finance(corp)
    write(corp, text)
    corp.refused(words)


def test_json_that_is_cut_off(corp: Site) -> None:
    corp.settings(SETTINGS.replace(".csv", ".json"))
    for text in (json.dumps(LISTED)[:-3], '{"people": []}', '"x"', "[" * 100_000):
        write(corp, text, "people.json")
        corp.refused("`people.json`")
    (corp.folder / "people.json").unlink()
    corp.refused("cannot be read: no such file or directory")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([*LISTED, "cem@acme.example"], "record 3 is not an object, as the others are"),
        ([*LISTED, 7], "record 3 is not an object, as the others are"),
        ([7, True], "record 1 is not an object"),
        ([*LISTED, {"email": ["cem@acme.example"], "groups": []}], "record 3: `email` is no text"),
        ([*LISTED, {"email": "cem@acme.example", "groups": {"name": "sg-finance"}}], "record 3: `groups` "),
        ([*LISTED, {"email": "cem@acme.example", "groups": [{"id": "sg-finance"}]}], "record 3: `groups` "),
        ({"users": BOTH, "groups": {"sg-finance": [["cem@acme.example"]]}}, "the members of `sg-finance` "),
    ],
)  # fmt: skip
def test_json_that_says_who_in_another_way(corp: Site, content: Any, words: str) -> None:
    """Who is passed over loses access, and nobody is called `['cem@acme.example']`."""
    corp.settings(SETTINGS.replace(".csv", ".json"))
    write(corp, json.dumps(content), "people.json")
    corp.refused(f"`people.json`, {words}")


# -- the command itself ----------------------------------------------------------------------------------


def test_one_of_two_directories_fails(corp: Site) -> None:
    write(corp, ROWS)
    corp.settings(SETTINGS + '[gone]\nkind = "export"\nfile = "gone.csv"\n')
    corp.refused("`gone`: ")
    assert corp.synced("corp")["corp"]["groups"]
    write(corp, "email,groups\nzoe@acme.example,other\n", "gone.csv")
    assert set(corp.synced()) == {"corp", "gone"}
    corp.settings(SETTINGS)
    assert set(corp.synced()) == {"corp"}


def test_a_group_that_is_in_two_directories_has_to_be_told_apart(corp: Site) -> None:
    write(corp, ROWS)
    write(corp, "email,groups\nzoe@acme.example,sg-finance\n", "other.csv")
    corp.settings(SETTINGS + '[other]\nkind = "export"\nfile = "other.csv"\n')
    corp.synced()
    done = corp.run("check", "--format", "json")
    assert [each["code"] for each in json.loads(done.stdout)["diagnostics"]] == ["SEG111"]
    corp.policy(["other/sg-finance"])
    corp.synced()
    assert corp.run("check").returncode == 0
    assert corp.run(
        "trace", "policy.seg", "10.8.0.9", "10.1.0.1", "tcp/1000", "--user", "zoe@acme.example"
    ).stdout.startswith("allow")


def test_nothing_is_written_where_nothing_may_be(corp: Site) -> None:
    write(corp, ROWS)
    assert "would change" in corp.sync("--dry-run").stdout
    assert not (corp.folder / "identities.lock.json").exists()
    corp.synced()
    (corp.folder / "identities.lock.json").write_text("<<<<<<< HEAD\n")
    done = corp.sync()
    assert (done.returncode, "is damaged" in done.stderr) == (1, True)
    assert corp.sync("--force").returncode == 0
    assert corp.snapshot()["corp"]["users"] == BOTH


def test_a_link_stays_a_link_and_a_write_that_fails_leaves_all(corp: Site) -> None:
    write(corp, ROWS)
    real = corp.folder / "elsewhere"
    real.mkdir()
    (real / "lock").write_text("")
    (corp.folder / "identities.lock.json").symlink_to(real / "lock")
    assert corp.sync("--force").returncode == 0
    assert (corp.folder / "identities.lock.json").is_symlink()
    assert corp.snapshot()["corp"]["users"] == BOTH
    assert os.listdir(real) == ["lock"]  # noqa: PTH208 (names are enough)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "names no directory"),
        ("[corp", "is no TOML"),
        ("x = 1", "`x` is no table"),
        ("[corp]\nkind = 'nis'", "`kind` must be one of ldap, scim, entra, okta, export"),
        ("[corp]\nkind = 'export'", "`file` is missing"),
        (SETTINGS + "fle = 'x'", "`fle` is unknown: did you mean `file`?"),
        (SETTINGS + "password = 'x'", "`password` looks like a secret, which must not stand here"),
        (SETTINGS + "shrink = 200", "`shrink` must be a share"),
        (SETTINGS + "user = ''", "`user` must be a text"),
        (SETTINGS + "user = 'nobody'", "has no column `nobody`"),
        (SETTINGS + "groups = 'x'", "`groups` must be a list"),
    ],
)
def test_settings_that_make_no_sense(corp: Site, settings: str, words: str) -> None:
    write(corp, ROWS)
    corp.settings(settings)
    done = corp.sync()
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr


def test_a_policy_that_cannot_be_read(corp: Site) -> None:
    write(corp, ROWS)
    corp.policy(["sg-finance"], more="alow x\n")
    done = corp.sync()
    assert (done.returncode, "SEG001" in done.stderr + done.stdout) == (1, True)
    assert corp.run("identity", "sync", "nowhere").returncode == 1


def test_it_is_shown_by_group_and_by_person(corp: Site) -> None:
    assert "is not there" in corp.run("identity", "show").stderr
    write(corp, ROWS)
    corp.synced()
    assert (
        corp.run("identity", "show").stdout == "corp  export  people.csv  2 people\n  sg-finance  2 people\n"
    )
    assert corp.run("identity", "show", "SG-finance", "ana@acme.example").stdout.splitlines()[-1] == (
        "ana@acme.example  corp  sg-finance"
    )
    assert (
        json.loads(corp.run("identity", "show", "--format", "json").stdout)["directories"] == corp.snapshot()
    )
