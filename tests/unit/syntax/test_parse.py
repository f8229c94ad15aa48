"""Every construct of the language becomes the tree that it should."""

import pytest

from segc.source import SourceFile, Span
from segc.syntax import tree as t
from segc.syntax.parse import parse

HERE = Span("p.seg", 0, 0, 1)


def read(text: str) -> tuple[t.Statement, ...]:
    file, found = parse(SourceFile("p.seg", text))
    assert found == ()
    return file.statements


def one(text: str) -> t.Statement:
    (statement,) = read(text)
    return statement


def w(text: str) -> t.Word:
    return t.Word(text, HERE)


def ws(*texts: str) -> tuple[t.Word, ...]:
    return tuple(map(w, texts))


def name(zone: str, host: str | None = None) -> t.NameTerm:
    return t.NameTerm(w(zone), None if host is None else w(host), HERE)


def end(*terms: t.Term, less: tuple[t.Term, ...] = ()) -> t.End:
    return t.End(terms, less, HERE)


def literal(protocol: str, argument: str | None = None) -> t.ServiceLiteral:
    return t.ServiceLiteral(w(protocol), None if argument is None else w(argument), HERE)


def named(text: str) -> t.ServiceName:
    return t.ServiceName(text, HERE)


def setting(key: str, *values: str) -> t.Setting:
    return t.Setting(w(key), ws(*values), HERE)


ANY = t.AnyService(HERE)
ADDRESSES = [
    "10.0.0.1",
    "10.0.0.0/8",
    "10.0.0.1-10.0.0.9",
    "2001:db8::1",
    "2001:db8::/32",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "fe80::",
    "fe80::1-fe80::9",
    "dead:beef:0:0:0:0:0:1",
    "2001:db8::1-2001:db8::ff",
]


def test_import_and_timezone() -> None:
    assert read('import "a b.seg" timezone "Europe/Berlin"') == (
        t.Import(w("a b.seg"), HERE),
        t.Timezone(w("Europe/Berlin"), HERE),
    )


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("tcp/443", (literal("tcp", "443"),)),
        ("tcp/8000-8100, tcp/8443", (literal("tcp", "8000-8100"), literal("tcp", "8443"))),
        ("https, tcp/80", (named("https"), literal("tcp", "80"))),
        (
            "icmp/echo-request, icmpv6/echo-request",
            (literal("icmp", "echo-request"), literal("icmpv6", "echo-request")),
        ),
        ("proto/47", (literal("proto", "47"),)),
        ("udp, gre", (literal("udp"), named("gre"))),
        ("any", (ANY,)),
    ],
)
def test_services(text: str, services: tuple[t.Service, ...]) -> None:
    assert one(f"service s = {text}") == t.ServiceDef(w("s"), services, HERE)


def test_zone_with_everything() -> None:
    text = """
    zone hr {
      vlan 10
      subnet 10.10.10.0/24, 2001:db8:10::/64
      external
      host payroll = 10.10.10.20, 2001:db8:10::20
      host printer = 10.10.10.30 { mac 02:00:00:00:00:1e  tag unpatched, old }
      host bare = 10.10.10.31 {}
      tag pii, regulated
      intra deny
      refuse drop
      about "say \\"hi\\" \\\\o/"
    }"""
    settings = (
        setting("vlan", "10"),
        setting("subnet", "10.10.10.0/24", "2001:db8:10::/64"),
        setting("external"),
        setting("tag", "pii", "regulated"),
        setting("intra", "deny"),
        setting("refuse", "drop"),
        setting("about", 'say "hi" \\o/'),
    )
    hosts = (
        t.Host(w("payroll"), ws("10.10.10.20", "2001:db8:10::20"), (), (), HERE),
        t.Host(w("printer"), ws("10.10.10.30"), ws("02:00:00:00:00:1e"), ws("unpatched", "old"), HERE),
        t.Host(w("bare"), ws("10.10.10.31"), (), (), HERE),
    )
    assert one(text) == t.ZoneDef(w("hr"), settings, hosts, HERE)


@pytest.mark.parametrize(
    "mac", ["02:00:00:00:00:1e", "ae:00:00:00:00:1e", "02-00-00-00-00-1E", "0200.0000.001e"]
)
def test_mac_addresses(mac: str) -> None:
    zone = one(f"zone a {{ host b = 10.0.0.1 {{ mac {mac} }} }}")
    assert isinstance(zone, t.ZoneDef)
    assert zone.hosts[0].mac == ws(mac)


def test_empty_blocks() -> None:
    assert one("zone a {}") == t.ZoneDef(w("a"), (), (), HERE)
    assert one("group a { ; }") == t.GroupDef(w("a"), (), (), None, HERE)
    assert one("posture a {}") == t.PostureDef(w("a"), (), HERE)
    assert one("session a {}") == t.SessionDef(w("a"), (), HERE)
    assert one("workflow a {}") == t.Workflow(w("a"), (), HERE)
    assert one('test "a" {}') == t.Test(w("a"), (), HERE)
    assert one("gateway a {}") == t.GatewayDef(w("a"), (), (), (), (), (), (), HERE)
    assert one("switch a {}") == t.SwitchDef(w("a"), (), (), HERE)


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_as_ends(address: str) -> None:
    assert one(f"set s = {address}") == t.SetDef(w("s"), end(t.AddressTerm(address, HERE)), HERE)


@pytest.mark.parametrize("word", ["fe", "dead", "face", "a", "f00d", "abc-def"])
def test_names_that_look_like_hexadecimal(word: str) -> None:
    flow = one(f"allow {word}->{word}.{word}:{word}")
    assert isinstance(flow, t.Flow)
    assert (flow.source, flow.destination) == (end(name(word)), end(name(word, word)))
    assert flow.services == (named(word),)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("any", t.AnyTerm(HERE)),
        ("hr", name("hr")),
        ("hr.payroll", name("hr", "payroll")),
        ("tag pii", t.TagTerm(w("pii"), HERE)),
        ("gateway gw1", t.GatewayTerm(w("gw1"), HERE)),
        ("group g", t.GroupTerm(w("g"), (), HERE)),
        ("group g in vpn", t.GroupTerm(w("g"), ws("vpn"), HERE)),
        ("group g in (vpn, hr)", t.GroupTerm(w("g"), ws("vpn", "hr"), HERE)),
        ('user "a@b"', t.UserTerm(w("a@b"), (), HERE)),
        ('user "a@b" in (vpn)', t.UserTerm(w("a@b"), ws("vpn"), HERE)),
    ],
)
def test_terms(text: str, term: t.Term) -> None:
    assert one(f"set s = {text}") == t.SetDef(w("s"), end(term), HERE)
    mixed = end(term, name("x"), less=(name("y"), term))
    assert one(f"set s = {text}, x except y, {text}") == t.SetDef(w("s"), mixed, HERE)


@pytest.mark.parametrize("text", ["group g in vpn", "group g in (vpn, hr)", 'user "a@b" in (vpn)'])
def test_a_term_is_underlined_to_its_very_end(text: str) -> None:
    found = one(f"set s = {text}")
    assert isinstance(found, t.SetDef)
    assert found.end.span.end - found.end.span.start == len(text)


def test_groups() -> None:
    members = t.GroupDef(w("g"), ws("a@b", "c@d", "e@f"), ws("h", "i"), None, HERE)
    assert one('group g { user "a@b", "c@d"; group h; user "e@f"; group i }') == members
    assert one('group g from directory "sg-g"') == t.GroupDef(w("g"), (), (), w("sg-g"), HERE)


def test_posture_facts() -> None:
    facts = (
        t.Fact(w("disk"), "=", w("true"), False, HERE),
        t.Fact(w("os"), ">=", w("14.2"), True, HERE),
        t.Fact(w("age"), "<", w("30"), False, HERE),
        t.Fact(w("kind"), "!=", w("byod"), False, HERE),
    )
    assert one('posture p { disk = true os >= "14.2"; age<30 kind != byod }') == t.PostureDef(
        w("p"), facts, HERE
    )


def test_session() -> None:
    settings = (setting("max", "10h"), setting("idle", "1h"))
    assert one("session staff { max 10h  idle 1h }") == t.SessionDef(w("staff"), settings, HERE)


def test_flow_heads() -> None:
    def flow(action: str, staged: bool, name_: str | None) -> t.Flow:
        title = None if name_ is None else w(name_)
        return t.Flow(action, staged, title, end(name("a")), end(name("b")), (ANY,), t.Options(), HERE)

    assert one("allow a -> b : any") == flow("allow", False, None)
    assert one("deny as n a -> b : any") == flow("deny", False, "n")
    assert one("staged allow a -> b : any") == flow("allow", True, None)
    assert one("staged deny as as a -> b : any") == flow("deny", True, "as")


def test_flow_options() -> None:
    flow = one(
        """allow a -> b : https
        require mfa, posture managed when mon-wed, fri 22:00-06:00 from 2026-01-01 until 2027-03-31
        limit 200/second log owner "o" ticket "t" because "b" """
    )
    assert isinstance(flow, t.Flow)
    require = (t.Requirement(None, HERE), t.Requirement(w("managed"), HERE))
    when = t.When(ws("mon-wed", "fri"), w("22:00-06:00"), HERE)
    assert flow.options == t.Options(
        require, when, w("2026-01-01"), w("2027-03-31"), w("200/second"), w("log"), w("o"), w("t"), w("b")
    )


def test_a_repeated_option_keeps_the_first_and_tells() -> None:
    flow = one('allow a -> b : c because "x" log because "y" log when daily when sat')
    assert isinstance(flow, t.Flow)
    assert flow.options.because == w("x")
    assert flow.options.when == t.When(ws("daily"), None, HERE)
    assert flow.options.repeated == ws("because", "log", "when")


def test_promises() -> None:
    a, b = end(name("a")), end(name("b"))
    assert read(
        'never a -> b never a ~> b because "x" never a -> b : c, tcp/1 never a ~> b : any because "y"'
    ) == (
        t.Never(a, b, False, (), None, HERE),
        t.Never(a, b, True, (), w("x"), HERE),
        t.Never(a, b, False, (named("c"), literal("tcp", "1")), None, HERE),
        t.Never(a, b, True, (ANY,), w("y"), HERE),
    )


def test_workflow() -> None:
    steps = (
        t.Step(end(name("hr")), end(name("app", "portal")), (named("https"), literal("tcp", "1")), HERE),
        t.Step(end(t.AddressTerm("10.0.0.1", HERE)), end(name("db")), (ANY,), HERE),
        t.Step(end(t.GroupTerm(w("g"), (), HERE)), end(name("db")), (literal("udp"),), HERE),
    )
    text = "workflow w { hr -> app.portal : https, tcp/1 10.0.0.1 -> db : any group g -> db : udp }"
    assert one(text) == t.Workflow(w("w"), steps, HERE)


def test_test() -> None:
    a, b, c = end(name("a")), end(name("b")), (named("c"),)
    facts = (t.Requirement(None, HERE), t.Requirement(w("m"), HERE))
    expectations = (
        t.Expectation("deny", a, b, c, (), None, HERE),
        t.Expectation("allow", a, b, c, facts, None, HERE),
        t.Expectation("allow", a, b, c, (), w("2026-11-24 09:30"), HERE),
        t.Expectation("allow", a, b, c, facts, w("x"), HERE),
    )
    text = """test "t" { deny a -> b : c  allow a -> b : c with mfa, posture m
        allow a -> b : c at "2026-11-24 09:30"  allow a -> b : c with mfa, posture m at "x" }"""
    assert one(text) == t.Test(w("t"), expectations, HERE)


def test_gateway() -> None:
    text = """
    gateway gw1 {
      interface wan0 { zone internet  address dhcp, 10.0.0.1/24  masquerade }
      interface eth0.5 { masquerade ipv4 trunk hr, finance }
      interface "br lan" { bridge
        port p1 zone hr
        port enp3s0f1np1 trunk hr, finance isolated
        port p3 zone vendor isolated
        zone mgmt }
      address hr 10.10.10.1/24, 2001:db8:10::1/64
      serve dns, dhcp to hr, finance except finance.x
      manage from it-admin : ssh
      publish tcp/443 on wan0->dmz.web : tcp/8443
      publish udp/53 on eth0.5 -> 10.0.0.9
      mark 0xffff0000
    }"""
    ports = (
        t.Port(w("p1"), ws("hr"), False, False, HERE),
        t.Port(w("enp3s0f1np1"), ws("hr", "finance"), True, True, HERE),
        t.Port(w("p3"), ws("vendor"), False, True, HERE),
    )
    assert one(text) == t.GatewayDef(
        w("gw1"),
        (
            t.Interface(w("wan0"), ws("internet"), (), False, (), ws("dhcp", "10.0.0.1/24"), (4, 6), HERE),
            t.Interface(w("eth0.5"), (), ws("hr", "finance"), False, (), (), (4,), HERE),
            t.Interface(w("br lan"), ws("mgmt"), (), True, ports, (), (), HERE),
        ),
        (t.GatewayAddress(w("hr"), ws("10.10.10.1/24", "2001:db8:10::1/64"), HERE),),
        (
            t.Serve(
                (named("dns"), named("dhcp")),
                end(name("hr"), name("finance"), less=(name("finance", "x"),)),
                HERE,
            ),
        ),
        (t.Manage(end(name("it-admin")), (named("ssh"),), HERE),),
        (
            t.Publish(literal("tcp", "443"), w("wan0"), name("dmz", "web"), literal("tcp", "8443"), HERE),
            t.Publish(literal("udp", "53"), w("eth0.5"), t.AddressTerm("10.0.0.9", HERE), None, HERE),
        ),
        (setting("mark", "0xffff0000"),),
        HERE,
    )


def test_switch() -> None:
    ports = (
        t.Port(w("GigabitEthernet1/0/1-12"), ws("hr"), False, False, HERE),
        t.Port(w("swp2"), ws("hr", "finance"), True, False, HERE),
    )
    text = (
        'switch s { platform cisco-ios port "GigabitEthernet1/0/1-12" zone hr port swp2 trunk hr, finance }'
    )
    assert one(text) == t.SwitchDef(w("s"), (setting("platform", "cisco-ios"),), ports, HERE)


def test_spans_are_exact() -> None:
    text = '# é\nzone a { vlan 1 }\nallow a.b, c -> "'.replace('"', "d : tcp/80, e log\n")
    zone, flow = read(text)
    assert isinstance(flow, t.Flow)

    def at(span: Span) -> tuple[str, int]:
        return text[span.start : span.end], span.line

    assert at(zone.span) == ("zone a { vlan 1 }", 2)
    assert at(flow.span) == ("allow a.b, c -> d : tcp/80, e log", 3)
    assert at(flow.source.span) == ("a.b, c", 3)
    term, service = flow.source.terms[0], flow.services[0]
    assert isinstance(term, t.NameTerm)
    assert term.host is not None
    assert isinstance(service, t.ServiceLiteral)
    assert service.argument is not None
    spans = [term.name.span, term.host.span, service.protocol.span, service.argument.span]
    assert [at(span)[0] for span in spans] == ["a", "b", "tcp", "80"]


def test_white_space_of_other_systems() -> None:
    assert read("\ufeffzone a {\r\n\tvlan 1;;\r\n}\r\n# end") == read("zone a { vlan 1 }")
    assert read("") == ()
    assert read("# only a comment") == ()


def test_sources_directories_and_revocations() -> None:
    assert read("source hq openvpn { zone vpn, lab mfa posture managed max 12h } source s posture {}") == (
        t.SourceDef(
            w("hq"),
            w("openvpn"),
            (
                setting("zone", "vpn", "lab"),
                setting("mfa"),
                setting("posture", "managed"),
                setting("max", "12h"),
            ),
            HERE,
        ),
        t.SourceDef(w("s"), w("posture"), (), HERE),
    )
    assert read(
        "directory corp { sync 5m timeout 30s } revoke within 15m revoke group finance within 1h"
    ) == (
        t.DirectoryDef(w("corp"), (setting("sync", "5m"), setting("timeout", "30s")), HERE),
        t.Revoke(None, w("15m"), HERE),
        t.Revoke(w("finance"), w("1h"), HERE),
    )


def test_who_is_let_in_by_802_1x() -> None:
    zone = one('zone hr { dot1x group staff, leads dot1x user "ana@x" dot1x mac }')
    assert isinstance(zone, t.ZoneDef)
    assert zone.dot1x == (
        t.Dot1x("group", ws("staff", "leads"), HERE),
        t.Dot1x("user", ws("ana@x"), HERE),
        t.Dot1x("mac", (), HERE),
    )
    switch = one('switch s { port "a-1" dot1x port b dot1x isolated }')
    assert isinstance(switch, t.SwitchDef)
    assert switch.ports == (
        t.Port(w("a-1"), (), False, False, HERE, True),
        t.Port(w("b"), (), False, True, HERE, True),
    )


def test_the_age_of_a_fact() -> None:
    posture = one('posture p { patched within 30d os_version = "14.2" }')
    assert posture == t.PostureDef(
        w("p"),
        (
            t.Fact(w("patched"), "within", w("30d"), False, HERE),
            t.Fact(w("os_version"), "=", w("14.2"), True, HERE),
        ),
        HERE,
    )


def test_spans_of_what_is_let_in() -> None:
    text = "zone hr { dot1x group staff, leads } switch s { port b dot1x isolated }"
    zone, switch = read(text)
    assert isinstance(zone, t.ZoneDef)
    assert isinstance(switch, t.SwitchDef)
    spans = zone.dot1x[0].span, switch.ports[0].span
    assert [text[span.start : span.end] for span in spans] == [
        "dot1x group staff, leads",
        "port b dot1x isolated",
    ]
