from datetime import datetime
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from segc.policy import calendar
from segc.policy.model import Conditions, Schedule
from segc.proof.atoms import Atoms, uncovered
from segc.proof.boxes import left, meet, minus
from segc.proof.model import Field, Match, Ruleset
from segc.proof.times import ALWAYS, Clock
from segc.space.prefixes import EVERYTHING, PrefixSet, parse_prefixes

SETS = st.integers(0, 15)
NO_RULES = Ruleset(frozenset(), {}, {}, {})


def cells(rectangles):
    return {
        (i, j) for a, b in rectangles for i, j in product(range(4), repeat=2) if a >> i & 1 and b >> j & 1
    }


@settings(deadline=None)
@given(st.tuples(SETS, SETS), st.lists(st.tuples(SETS, SETS), max_size=5))
def test_what_products_leave_of_another(wanted, others):
    found = uncovered(wanted, others)
    assert cells(found) == cells([wanted]) - cells(others)
    assert sum(len(cells([each])) for each in found) == len(cells(found))


FIELDS = st.dictionaries(
    st.sampled_from(["direction", "translated", "state"]),
    st.sampled_from([((0, 0),), ((1, 1),), ((0, 1),)]),
)


def points(box):
    every = product((0, 1), (0, 1), range(5))
    names = ("direction", "translated", "state")
    return {
        p
        for p in every
        if all(any(a <= v <= b for a, b in box.get(n, ((0, 4),))) for n, v in zip(names, p, strict=True))
    }


@settings(deadline=None)
@given(FIELDS, FIELDS, FIELDS)
def test_boxes_are_sets(a, b, c):
    both = meet(a, b)
    assert points(a) & points(b) == (points(both) if both is not None else set())
    rest = [points(each) for each in minus(a, b)]
    assert set().union(*rest) == points(a) - points(b)
    assert sum(map(len, rest)) == len(set().union(*rest))
    some = left(a, [b, c])
    assert (some is None) == (points(a) <= points(b) | points(c))


def test_atoms_are_cut_where_a_set_begins():
    net, host = parse_prefixes("10.0.0.0/24"), parse_prefixes("10.0.0.7")
    atoms = Atoms([net, EVERYTHING - net], [host, PrefixSet()])
    assert len(atoms.spaces) == 3
    assert atoms.bits(net) & atoms.bits(host) == atoms.bits(host)
    assert atoms.spaces[atoms.bits(host).bit_length() - 1] == host
    assert atoms.real(atoms.bits(host), atoms.bits(host)) == 4
    assert atoms.real(atoms.bits(host), 0) == 0


def line(*matches):
    return frozenset((tuple(Match(Field(f"meta {name}"), (span,)) for name, span in matches),))


def conditions(start, end, zone="UTC"):
    return Conditions(schedule=Schedule((0, 1, 2, 3, 4), start, end, zone))


def test_hours_of_utc():
    clock = Clock(NO_RULES)
    office = conditions(8 * 60, 18 * 60)
    same = line(("day", (1, 5)), ("hour", (28800, 64799)))
    assert clock.differs([office], same) == (None, None)
    missing, extra = clock.differs([office], line(("day", (1, 5)), ("hour", (28801, 64800))))
    assert calendar.holds(*office.schedule, missing)
    assert not calendar.holds(*office.schedule, extra)
    assert clock.differs([office], ALWAYS)[0] is None
    assert not calendar.holds(*office.schedule, clock.differs([office], ALWAYS)[1])
    assert clock.differs([Conditions()], same)[0] is not None


def test_an_hour_is_missed_where_clocks_change():
    """Winter's offset all year round is wrong in summer, and the witness lies there."""
    berlin = conditions(8 * 60, 18 * 60, "Europe/Berlin")
    missing, extra = Clock(NO_RULES).differs([berlin], line(("day", (1, 5)), ("hour", (25200, 61199))))
    for at, holds in ((missing, True), (extra, False)):
        assert calendar.holds(*berlin.schedule, at) is holds
        assert datetime.fromtimestamp(at, ZoneInfo("Europe/Berlin")).dst()


def test_dates_bound_at_the_second():
    until = Conditions(not_after=1000)
    before = Match(Field("meta time"), ((1000, 2**63),), True)
    assert Clock(NO_RULES).differs([until], frozenset(((before,),))) == (None, None)
    late = before._replace(values=((1001, 2**63),))
    assert Clock(NO_RULES).differs([until], frozenset(((late,),))) == (None, 1000)
