"""When a flow holds: `when`, `from` and `until` at the kernel's own clock, in several time zones.

The clock of a test cannot be set, so policies are written around the present moment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from segc.enforcement.timing import seasons
from segc.policy.calendar import DAYS, timezone
from tests.netns.policy import Compiled, interfaces, wait_a_moment
from tests.netns.site import Site

pytestmark = pytest.mark.kernel

TIMEZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns",
    "Pacific/Chatham", "Pacific/Kiritimati", "Africa/Casablanca",
)  # fmt: skip


def settled_now(zone: str) -> datetime:
    """Local time, not about to turn to another minute while packets are under way."""
    if time.time() % 60 > 50:
        time.sleep(60.5 - time.time() % 60)
    return datetime.now(timezone(zone))


def day(moment: datetime) -> str:
    return DAYS[moment.weekday()]


def span(start: datetime, end: datetime) -> str:
    return f"{start:%H:%M}-{end:%H:%M}"


def windows_around(now: datetime) -> Iterator[tuple[str, bool]]:
    """Texts of `when` and whether they hold at `now`."""
    minutes = timedelta(minutes=1)
    today, yesterday, tomorrow = day(now), day(now - 1440 * minutes), day(now + 1440 * minutes)
    others = [each for each in DAYS if each != today]
    yield today, True
    yield ",".join(others), False
    yield "daily", True
    yield "mon-sun", True
    yield "daily " + span(now, now + minutes), True
    yield "daily " + span(now - minutes, now), False
    yield "daily " + span(now + minutes, now), False  # all day but this minute
    yield "daily " + span(now + minutes, now + 2 * minutes), False
    yield "daily " + span(now - 180 * minutes, now + 180 * minutes), True
    yield "daily " + span(now + 180 * minutes, now - 180 * minutes), False
    if now.hour * 60 + now.minute < 1438:
        # The span passes midnight and belongs to the day on which it starts.
        long = span(now + 2 * minutes, now + minutes)
        yield f"{yesterday} {long}", True
        yield f"{today} {long}", False
        yield f"{tomorrow} {long}", False
    if now.hour or now.minute:
        yield f"{today} 00:00-24:00", True
        yield f"{today} 00:00-{now:%H:%M}", False
        yield f"{today} {now:%H:%M}-24:00", True
        yield f"{','.join(others)} {now:%H:%M}-24:00", False


@pytest.mark.parametrize("zone", TIMEZONES)
def test_when(zone: str) -> None:
    found = list(windows_around(settled_now(zone)))
    flows = [f"allow a -> b : tcp/{port} when {when}" for port, (when, _) in enumerate(found, 1)]
    flows += [f"deny c -> b : tcp/{port} when {when}" for port, (when, _) in enumerate(found, 1)]
    with Site("\n".join([f'timezone "{zone}"', "allow c -> b : tcp", *flows])) as site:
        words = {True: "yes", False: "no"}
        lines = [f"a.5 -> b.5 : tcp/{port} {words[holds]}" for port, (_, holds) in enumerate(found, 1)]
        lines += [f"c.5 -> b.5 : tcp/{port} {words[not holds]}" for port, (_, holds) in enumerate(found, 1)]
        site.check("\n".join(lines))


def test_both_halves_of_the_year_are_tried() -> None:
    """Whatever the date is, some of the time zones above are not at their most common offset."""
    now = int(time.time())
    special = [
        zone
        for zone in TIMEZONES
        for season in seasons(zone)[1:]
        if any(first <= now <= last for first, last in season.spans)
    ]
    usual = [zone for zone in TIMEZONES if len(seasons(zone)) > 1 and zone not in special]
    assert special
    assert usual


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"])
def test_from_and_until(zone: str) -> None:
    today = settled_now(zone).date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    with Site(f"""
        timezone "{zone}"
        allow a -> b : tcp/1 from {today}
        allow a -> b : tcp/2 from {tomorrow}
        allow a -> b : tcp/3 until {today}
        allow a -> b : tcp/4 until {yesterday}
        allow a -> b : tcp/5 from {yesterday} until {tomorrow}
        allow a -> b : tcp/6 from {yesterday} until {yesterday}
        deny c -> b : tcp/7 until {today}
        deny c -> b : tcp/8 until {yesterday}
        allow c -> b : tcp
    """) as site:
        site.check("""
            a.5 -> b.5 : tcp/1  yes
            a.5 -> b.5 : tcp/2  no
            a.5 -> b.5 : tcp/3  yes
            a.5 -> b.5 : tcp/4  no
            a.5 -> b.5 : tcp/5  yes
            a.5 -> b.5 : tcp/6  no
            c.5 -> b.5 : tcp/7  no
            c.5 -> b.5 : tcp/8  yes
        """)


def test_conditions_add_up() -> None:
    now = settled_now("UTC")
    today, other = day(now), day(now + timedelta(days=1))
    with Site(f"""
        allow group staff in a -> b : tcp/1 require mfa when {today} until {now.date()} limit 100/second log
        allow group staff in a -> b : tcp/2 require mfa when {other} until {now.date()} limit 100/second log
    """) as site:
        site.check("a.5 -> b.5 : tcp/1 no")
        site.bind("a.5", "ana@x.example", mfa=True)
        site.bind("a.6", "ana@x.example")
        site.check("a.5 -> b.5 : tcp/1 yes\n a.5 -> b.5 : tcp/2 no\n a.6 -> b.5 : tcp/1 no")


def changing_soon(site: Site, seconds: int) -> tuple[Compiled, int]:
    """The site's policy with its bounded allows ending in some seconds, its denies beginning; and when."""
    moment = int(datetime.now(UTC).timestamp()) + seconds
    policy = site.compiled.policy
    bounds = {"allow": {"not_after": moment}, "deny": {"not_before": moment}}
    flows = tuple(
        replace(flow, conditions=flow.conditions._replace(**bounds[flow.action]))
        if flow.conditions.timed
        else flow
        for flow in policy.flows
    )
    return Compiled(replace(policy, flows=flows), site.compiled.files), moment


@pytest.mark.parametrize("family", [4, 6])
def test_a_flow_that_expires_takes_its_connections_along(family: int) -> None:
    with Site("allow a -> b : tcp/443, udp/53, ping until 2090-01-01  allow c -> b : tcp/443") as site:
        soon, end = changing_soon(site, 2)
        assert interfaces(soon.program()) == interfaces(site.program)
        site.gateway.load(soon.ruleset())
        bounded = [site.talk("a.5", "b.5", family, *each) for each in (("udp", 53), ("icmp", 7))]
        tcp, free = site.talk("a.5", "b.5", family, "tcp", 443), site.talk("c.5", "b.5", family, "tcp", 443)
        assert tcp.open()
        assert free.open()
        assert all(each.to_server() and each.to_client() for each in [*bounded, tcp, free])
        assert time.time() < end, "too slow a machine for this test"
        time.sleep(max(0.0, end - time.time()))
        wait_a_moment()
        assert not any(each.to_server() or each.to_client() for each in [*bounded, tcp])
        assert free.to_server()
        assert free.to_client()
        assert not any(site.gateway.probe([line.probe])[0].passed
                       for line in site.lines("a.6 -> b.5 : tcp/443 no"))  # fmt: skip


@pytest.mark.parametrize("family", [4, 6])
def test_a_deny_that_begins_takes_connections_along(family: int) -> None:
    with Site("""
        allow a -> b : tcp/443, tcp/80, udp/53, ping
        allow a -> b : udp/54 when daily 00:00-24:00
        deny a -> b : tcp/443, udp/53-54, ping from 2090-01-01
    """) as site:
        soon, start = changing_soon(site, 2)
        site.gateway.load(soon.ruleset())
        services = ("udp", 53), ("udp", 54), ("icmp", 7), ("tcp", 443), ("tcp", 80)
        *ending, free = talks = [site.talk("a.5", "b.5", family, *each) for each in services]
        assert all(each.open() for each in talks[3:])
        assert all(each.to_server() and each.to_client() for each in talks)
        assert time.time() < start, "too slow a machine for this test"
        time.sleep(max(0.0, start - time.time()))
        wait_a_moment()
        assert not any(each.to_server() or each.to_client() for each in ending)
        assert free.to_server()
        assert free.to_client()
