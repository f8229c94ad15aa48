"""What a listing comes to: nested groups, wanted names, losses that are not believed, moves."""

from __future__ import annotations

import random

import pytest

from segc.identity.errors import DirectoryError
from segc.identity.guard import losses
from segc.identity.listing import (
    DEPTH,
    Group,
    Listing,
    Move,
    User,
    Wanted,
    directory_of,
    moves,
    narrowed,
)
from segc.identity.merge import gone, lessened, merged
from segc.identity.names import person
from segc.identity.snapshot import Directory, DirectoryGroup, Snapshot


def made(listing: Listing, **wanted: frozenset[str]) -> Directory:
    return directory_of("corp", "export", "x", listing, Wanted(**wanted))


def test_random_nesting_is_reachability() -> None:
    """Members of a group are the users on any path from it, whatever circles there are."""
    for seed in range(200):
        chance = random.Random(seed)
        users = [User(f"u{n}", f"user{n}") for n in range(6)]
        ids = [*(each.id for each in users), *(f"g{n}" for n in range(6)), "stranger"]
        edges = {f"g{n}": chance.sample(ids, chance.randrange(4)) for n in range(6)}
        groups = tuple(Group(id, f"name {id}", tuple(members)) for id, members in edges.items())
        found = made(Listing(tuple(users), groups), groups=frozenset(f"name g{n}" for n in range(6)))
        for group in found.groups:
            reached, waiting = set(), [group.id]
            while waiting:
                each = waiting.pop()
                if each not in reached:
                    reached.add(each)
                    waiting += edges.get(each, [])
            assert set(group.members) == {f"user{each[1:]}" for each in reached if each[0] == "u"}


def test_a_chain_that_nobody_means_is_refused() -> None:
    for length, fits in ((DEPTH, True), (DEPTH + 1, False)):
        groups = tuple(Group(f"g{n}", f"g{n}", (f"g{n + 1}",)) for n in range(length))
        if fits:
            assert made(Listing((), groups), groups=frozenset({"g0"})).groups[0].members == ()
        else:
            with pytest.raises(DirectoryError, match="nest deeper"):
                made(Listing((), groups), groups=frozenset({"g0"}))


def test_only_what_is_wanted_is_kept() -> None:
    names = ("Ana@X.example", "bo", "cy", "a\u200bna", "a\u00a0na")
    users = tuple(User(str(number), name) for number, name in enumerate(names, 1))
    groups = (Group("g1", "Sales", ("1", "4", "5")), Group("g2", "Other", ("2",)), Group("g3", "sg-x", ()))
    listing = Listing(users, groups)
    found = made(listing, groups=frozenset({"corp/SALES", "G2"}), users=frozenset({"cy", "nobody"}))
    assert [(each.name, each.id, each.members) for each in found.groups] == [
        ("Sales", "g1", ("ana@x.example",)),
        ("g2", "g2", ("bo",)),
    ]
    assert found.users == ("ana@x.example", "bo", "cy")
    kept = directory_of("corp", "export", "x", listing, Wanted(patterns=("SG-*",)))
    assert [each.name for each in kept.groups] == ["sg-x"]


@pytest.mark.parametrize(
    ("theirs", "policy", "one"),
    [
        ("strasse@x", "straße@x", False),
        ("sam@x", "\u017fam@x", False),
        ("jos\u00e9@x", "jose\u0301@x", True),
        ("ANA@x", "Ana@x", True),
        ("J\u030can@x", "\u01f0an@x", True),
    ],
)
def test_a_person_is_whom_the_policy_names_only_where_sessions_are(
    theirs: str, policy: str, one: bool
) -> None:
    listing = Listing((User("1", theirs),), (Group("g", "g", ("1",)),))
    found = made(listing, groups=frozenset({"g"}), users=frozenset({person(policy)}))
    assert found.members("g") == {person(theirs)}
    assert (found.members("g") == {person(policy)}) == one


def test_a_name_of_a_name_is_the_same_name() -> None:
    for number in range(0x2100):
        for mark in ("", "\u0301", "\u0307", "\u030c", "\u0331", "\u0345"):
            name = chr(number) + mark
            assert person(person(name)) == person(name), ascii(name)


def directory(users: int, **groups: int) -> Directory:
    found = tuple(DirectoryGroup(name, name, crowd(size)) for name, size in sorted(groups.items()))
    return Directory("corp", "export", "x", crowd(users), found)


def crowd(size: int) -> tuple[str, ...]:
    return tuple(f"p{n:03}" for n in range(size))


@pytest.mark.parametrize(
    ("before", "after", "believed"),
    [
        (directory(100, g=100), directory(50, g=50), True),
        (directory(100, g=100), directory(100, g=49), False),
        (directory(100, g=100), directory(49, g=49), False),
        (directory(9, g=4), directory(9, g=1), True),  # three may always leave
        (directory(9, g=4), directory(9, g=0), False),
        (directory(9, g=2), directory(9, g=0), False),
        (directory(9, g=2), directory(9), False),  # not there
        (directory(9, g=1), directory(9, g=0), True),
        (directory(1, g=1), directory(0, g=0), False),  # nobody at all
        (directory(9, g=0), directory(9), True),
        (directory(9, g=3), directory(100, g=100), True),
    ],
)
def test_what_is_believed(before: Directory, after: Directory, believed: bool) -> None:
    assert (not list(losses(before, after, 50))) == believed


def test_a_group_that_is_not_asked_for_any_more_is_no_loss() -> None:
    before, after = directory(9, g=9, h=2), directory(2, h=2)
    asked = Wanted(frozenset({"H"}), frozenset({"p000", "p008"}))
    assert narrowed(before, asked).users == ("p000", "p001", "p008")
    assert not list(losses(narrowed(before, asked), after, 50))
    assert list(losses(narrowed(before, Wanted(frozenset({"g", "h"}))), after, 50))


def test_the_share_is_what_the_settings_say() -> None:
    before, after = directory(100, g=100), directory(100, g=70)
    assert [bool(list(losses(before, after, share))) for share in (0, 29, 30, 100)] == [
        True,
        True,
        False,
        False,
    ]


def test_moves_and_what_is_taken_without_a_review() -> None:
    before = Directory("corp", "x", "x", ("a", "b", "c"), (DirectoryGroup("G", "1", ("a", "b")),))
    now = Directory("corp", "x", "x", ("b", "c", "d"), (DirectoryGroup("g", "1", ("b", "d")),))
    assert list(moves(before, now)) == [
        Move("corp", "", ("d",), ("a",)),
        Move("corp", "g", ("d",), ("a",)),
    ]
    other = Directory("other", "x", "x", ("z",), ())
    former = Snapshot((before, other))
    less = lessened(former, {"corp": now})
    assert less.directories[0].users == ("b", "c")
    assert less.directories[0].groups[0].members == ("b",)
    assert gone(former, less) == {"a"}


def test_directories_that_were_not_asked_stay() -> None:
    one = Directory("one", "x", "x", ("a",), ())
    two, anew = Directory("two", "x", "x", ("b",), ()), Directory("two", "x", "x", ("c",), ())
    former = Snapshot((one, two))
    assert merged(former, [anew], ["one", "two"]).directories == (one, anew)
    assert merged(former, [anew], []).directories == (anew,)
