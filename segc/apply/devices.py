"""What makes a device that of a plan: a sub-interface, whether it is up, its addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_interface
from pathlib import Path
from shlex import quote

from pyroute2 import IPRoute

from segc.apply.seen import Seen
from segc.apply.step import Step, index_of, up
from segc.enforcement.layer2 import Device, LinkPlan


def device_steps(device: Device, seen: Seen, bridge: bool) -> Iterator[Step]:
    name, found = device.name, seen.links.get(device.name)
    if found is None and not bridge:
        yield _sub_interface(device)
    if not bridge and not (found and found.up):
        yield up(name)
    present = seen.addresses.get(name, frozenset())
    for address in device.addresses:
        if address not in present:
            yield Step(
                f"add {address} to {name}",
                name,
                lambda links, address=address: _address(links, "add", name, address),  # type: ignore[misc]
                (f"ip address del {quote(address)} dev {quote(name)}",),
            )


def _sub_interface(device: Device) -> Step:
    def take(links: IPRoute) -> None:
        parent = index_of(links, device.parent or "")
        links.link("add", ifname=device.name, kind="vlan", link=parent, vlan_id=device.vlan)

    return Step(f"add {device.name}", device.name, take, (f"ip link del {quote(device.name)}",))


def _address(links: IPRoute, verb: str, name: str, address: str) -> None:
    host, _, length = address.partition("/")
    links.addr(verb, index=index_of(links, name), address=host, prefixlen=int(length))


def extra_addresses(plan: LinkPlan, seen: Seen) -> Iterator[Step]:
    """Steps that take away addresses which somebody gave to a device of the plan. Those that the kernel makes
    itself (RFC 4291 2.5.6) and those of devices that ask by DHCP are nobody's doing."""
    for device in plan.devices:
        if device.dhcp:
            continue
        extra = (each for each in seen.addresses.get(device.name, ()) if each not in device.addresses)
        gone = sorted(each for each in extra if not ip_interface(each).is_link_local)
        yield from withdrawals(device.name, gone, device.addresses, seen)


def withdrawals(name: str, gone: Sequence[str], wanted: Collection[str], seen: Seen) -> Iterator[Step]:
    """Take addresses off a device, and no others: unless told not to, the kernel takes all of a network with
    the first that it was given there."""
    stay = {*wanted, *seen.addresses.get(name, ())} - set(gone)
    networks = {ip_interface(each).network for each in gone if ":" not in each}
    if any(ip_interface(each).network in networks for each in stay) and not seen.links[name].promotes:
        yield _promotion(name)
    yield from (_withdrawal(name, address) for address in gone)


def _promotion(name: str) -> Step:
    path = Path("/proc/sys/net/ipv4/conf") / name / "promote_secondaries"

    def take(_: IPRoute) -> None:
        path.write_text("1")

    what = f"set net.ipv4.conf.{name}.promote_secondaries to 1"
    return Step(what, name, take, (f"echo 0 >{quote(str(path))}",), first=True)


def _withdrawal(name: str, address: str) -> Step:
    return Step(
        f"take {address} off {name}",
        name,
        lambda links: _address(links, "del", name, address),
        (f"ip address add {quote(address)} dev {quote(name)}",),
        late=True,
        withdrawn=ip_interface(address),
    )


def removal(device: Device, addresses: list[str]) -> Step:
    name = device.name
    return Step(
        f"remove {name}",
        name,
        lambda links: links.link("del", index=index_of(links, name)),
        (
            f"ip link add link {quote(device.parent or '')} name {quote(name)} type vlan id {device.vlan}",
            f"ip link set {quote(name)} up",
            *(f"ip address add {quote(each)} dev {quote(name)}" for each in addresses),
        ),
        late=True,
        disruptive=True,
    )
