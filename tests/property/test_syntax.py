"""Random trees survive printing, formatting and parsing; random text never does harm."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segc.source import SourceFile, Span
from segc.syntax import grammar
from segc.syntax import tree as t
from segc.syntax.format import WIDTH, format_source
from segc.syntax.hints.words import RESERVED
from segc.syntax.parse import MAX_ERRORS, parse
from segc.workspace import load

HERE = Span("p.seg", 0, 0, 1)
KEYWORDS = sorted(set(re.findall(r'^[A-Z_]+: "([a-z]+)"$', grammar.text(), re.MULTILINE)))

# What is generated: a node (or a tuple of nodes) and the tokens that it is written with.
Written = tuple[list[str], t.Word | object]
Draw = Callable[[st.SearchStrategy], object]  # type: ignore[type-arg]

names = st.sampled_from([*KEYWORDS, "hr", "fe", "dead", "x-1"]) | st.from_regex(
    r"[A-Za-z_]([A-Za-z0-9_-]{0,6}[A-Za-z0-9_])?", fullmatch=True
)
zone_names = names.filter(lambda name: name not in RESERVED)
service_names = names.filter(lambda name: name not in {"any", "tcp", "udp", "sctp", "icmp", "icmpv6"})
texts = st.text(st.characters(exclude_characters="\ufeff", exclude_categories=["Cs", "Cc"]), max_size=12)
addresses = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.0/8",
        "10.0.0.1-10.0.0.9",
        "2001:db8::1",
        "fe80::/10",
        "::",
        "::1-::9",
        "dead:beef::",
    ]
)


def word(text: str) -> t.Word:
    return t.Word(text, HERE)


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(parts: list[tuple[list[str], object]]) -> list[str]:
    """The tokens of a comma list."""
    tokens: list[str] = []
    for part, _ in parts:
        tokens += [",", *part] if tokens else part
    return tokens


def several(part: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:  # type: ignore[type-arg]
    """A comma list with its tokens and the tuple of its nodes."""
    many = st.lists(part, min_size=1, max_size=most)
    return many.map(lambda parts: (listed(parts), tuple(node for _, node in parts)))


words = {
    "name": names.map(lambda text: ([text], word(text))),
    "zone": zone_names.map(lambda text: ([text], word(text))),
    "string": texts.map(lambda text: ([quote(text)], word(text))),
    "address": addresses.map(lambda text: ([text], word(text))),
    "date": st.dates().map(lambda day: ([day.isoformat()], word(day.isoformat()))),
}


@st.composite
def terms(draw: Draw) -> Written:
    kind = draw(st.sampled_from(["any", "name", "host", "tag", "address", "gateway", "group", "user"]))
    if kind == "any":
        return ["any"], t.AnyTerm(HERE)
    if kind == "address":
        text = draw(addresses)
        return [text], t.AddressTerm(text, HERE)
    if kind in ("name", "host"):
        zone, host = draw(zone_names), draw(names) if kind == "host" else None
        return [f"{zone}.{host}" if host else zone], t.NameTerm(
            word(zone), word(host) if host else None, HERE
        )
    (written,), name = draw(words["string" if kind == "user" else "name"])
    if kind in ("tag", "gateway"):
        return [kind, written], (t.TagTerm if kind == "tag" else t.GatewayTerm)(name, HERE)
    place, zones = draw(st.just(([], ())) | several(words["zone"]))
    if zones:
        place = ["in", *place] if len(zones) == 1 else ["in", "(", *place, ")"]
    return [kind, written, *place], (t.UserTerm if kind == "user" else t.GroupTerm)(name, zones, HERE)


@st.composite
def ends(draw: Draw) -> Written:
    tokens, included = draw(several(terms()))
    less, excepted = draw(st.just(([], ())) | several(terms(), 2))
    return [*tokens, *(["except", *less] if less else [])], t.End(included, excepted, HERE)


def _literal(text: str) -> Written:
    protocol, _, argument = text.partition("/")
    return [text], t.ServiceLiteral(word(protocol), word(argument) if argument else None, HERE)


one_service = (
    st.sampled_from(["tcp/80", "udp/1-9", "icmp/echo-request", "proto/47", "tcp"]).map(_literal)
    | service_names.map(lambda text: ([text], t.ServiceName(text, HERE)))
    | st.just((["any"], t.AnyService(HERE)))
)
services = several(one_service)
requirements = several(
    st.just((["mfa"], t.Requirement(None, HERE)))
    | names.map(lambda text: (["posture", text], t.Requirement(word(text), HERE)))
)


@st.composite
def flows(draw: Draw) -> Written:
    action, staged = draw(st.sampled_from(["allow", "deny"])), draw(st.booleans())
    name = draw(st.none() | names)
    tokens = ["staged"] * staged + [action] + (["as", name] if name else [])
    (source, a), (destination, b), (service, c) = draw(ends()), draw(ends()), draw(services)
    tokens += [*source, "->", *destination, ":", *service]
    given: dict[str, object] = {}
    for option in draw(
        st.permutations(["require", "when", "from", "until", "limit", "log", "owner", "because"])
    ):
        if draw(st.booleans()):
            tokens += draw(option_of(option, given))
    flow = t.Flow(action, staged, word(name) if name else None, a, b, c, t.Options(**given), HERE)  # type: ignore[arg-type]
    return tokens, flow


@st.composite
def option_of(draw: Draw, option: str, given: dict[str, object]) -> list[str]:
    if option == "log":
        given["log"] = word("log")
        return ["log"]
    if option == "when":
        tokens, days = draw(several(words["name"]))
        hours = draw(st.none() | st.just("22:00-06:00"))
        given["when"] = t.When(days, word(hours) if hours else None, HERE)
        return ["when", *tokens, *([hours] if hours else [])]
    kinds = {"require": requirements, "from": words["date"], "until": words["date"]}
    rate = st.just((["200/second"], word("200/second")))
    tokens, value = draw(kinds.get(option, rate if option == "limit" else words["string"]))
    given[{"from": "not_before"}.get(option, option)] = value
    return [option, *tokens]


@st.composite
def nevers(draw: Draw) -> Written:
    (source, a), (destination, b), arrow = draw(ends()), draw(ends()), draw(st.sampled_from(["->", "~>"]))
    service, c = draw(st.just(([], ())) | services)
    reason, because = draw(st.just(([], None)) | words["string"])
    tokens = ["never", *source, arrow, *destination, *([":", *service] if service else [])]
    tokens += ["because", *reason] if reason else []
    return tokens, t.Never(a, b, arrow == "~>", c, because, HERE)


def block(head: list[str], items: list[Written]) -> list[str]:
    return [*head, "{", *(token for tokens, _ in items for token in tokens), "}"]


@st.composite
def workflows(draw: Draw) -> Written:
    name, steps = draw(names), []
    for _ in range(draw(st.integers(0, 3))):
        (source, a), (destination, b), (service, c) = draw(ends()), draw(ends()), draw(services)
        steps.append(([*source, "->", *destination, ":", *service], t.Step(a, b, c, HERE)))
    return block(["workflow", name], steps), t.Workflow(word(name), tuple(s for _, s in steps), HERE)


@st.composite
def trials(draw: Draw) -> Written:
    (title,), name = draw(words["string"])
    lines = []
    for _ in range(draw(st.integers(0, 3))):
        action = draw(st.sampled_from(["allow", "deny"]))
        (source, a), (destination, b), (service, c) = draw(ends()), draw(ends()), draw(services)
        given, facts = draw(st.just(([], ())) | requirements)
        when, at = draw(st.just(([], None)) | words["string"])
        tokens = [action, *source, "->", *destination, ":", *service]
        tokens += ["with", *given] * bool(given) + ["at", *when] * bool(when)
        lines.append((tokens, t.Expectation(action, a, b, c, facts, at, HERE)))
    return block(["test", title], lines), t.Test(name, tuple(e for _, e in lines), HERE)


def setting(key: str, values: st.SearchStrategy) -> st.SearchStrategy:  # type: ignore[type-arg]
    return values.map(lambda found: ([key, *found[0]], t.Setting(word(key), found[1], HERE)))


@st.composite
def hosts(draw: Draw) -> Written:
    name, (tokens, addresses_) = draw(names), draw(several(words["address"]))
    tags, marks = draw(st.just(([], ())) | several(words["name"]))
    tokens = [
        "host",
        name,
        "=",
        *tokens,
        *(["{", "mac", "02:00:00:00:00:1e", "tag", *tags, "}"] if tags else []),
    ]
    return tokens, t.Host(word(name), addresses_, (word("02:00:00:00:00:1e"),) if tags else (), marks, HERE)


@st.composite
def zones(draw: Draw) -> Written:
    name = draw(zone_names)
    single = st.just((["10"], (word("10"),)))
    kinds = [
        setting("vlan", single),
        setting("subnet", several(words["address"])),
        setting("external", st.just(([], ()))),
        setting("tag", several(words["name"])),
        setting("about", words["string"].map(lambda found: (found[0], (found[1],)))),
        hosts(),
        admissions(),
    ]
    items = draw(st.lists(st.one_of(kinds), max_size=5))
    given = tuple(node for _, node in items if isinstance(node, t.Setting))
    inside = tuple(node for _, node in items if isinstance(node, t.Host))
    admitted = tuple(node for _, node in items if isinstance(node, t.Dot1x))
    return block(["zone", name], items), t.ZoneDef(word(name), given, inside, HERE, admitted)


@st.composite
def admissions(draw: Draw) -> Written:
    kind = draw(st.sampled_from(["group", "user", "mac"]))
    tokens, who = draw(several(words["string" if kind == "user" else "name"])) if kind != "mac" else ([], ())
    return ["dot1x", kind, *tokens], t.Dot1x(kind, who, HERE)


@st.composite
def sources(draw: Draw) -> Written:
    name, kind = draw(names), draw(names)
    time = st.just((["12h"], (word("12h"),)))
    kinds = [
        setting("zone", several(words["zone"])),
        setting("mfa", st.just(([], ()))),
        setting("posture", several(words["name"])),
        setting("max", time),
    ]
    items = draw(st.lists(st.one_of(kinds), max_size=5))
    settings = tuple(node for _, node in items)
    return block(["source", name, kind], items), t.SourceDef(word(name), word(kind), settings, HERE)


@st.composite
def revocations(draw: Draw) -> Written:
    name = draw(names)
    if draw(st.booleans()):
        within = ["within", "15m"]
        return draw(
            st.sampled_from(
                [
                    (["revoke", *within], t.Revoke(None, word("15m"), HERE)),
                    (["revoke", "group", name, *within], t.Revoke(word(name), word("15m"), HERE)),
                ]
            )
        )
    time = st.just((["5m"], (word("5m"),)))
    items = draw(st.lists(setting("sync", time) | setting("timeout", time), max_size=3))
    settings = tuple(node for _, node in items)
    return block(["directory", name], items), t.DirectoryDef(word(name), settings, HERE)


@st.composite
def groups(draw: Draw) -> Written:
    name, users, inside, items = draw(names), [], [], []
    for kind in draw(st.lists(st.sampled_from(["user", "group"]), max_size=3)):
        tokens, members = draw(several(words["string" if kind == "user" else "name"]))
        items.append(([kind, *tokens], members))
        (users if kind == "user" else inside).extend(members)
    return block(["group", name], items), t.GroupDef(word(name), tuple(users), tuple(inside), None, HERE)


@st.composite
def postures(draw: Draw) -> Written:
    name, facts = draw(names), []
    for _ in range(draw(st.integers(0, 3))):
        fact, sign = draw(names), draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
        if draw(st.booleans()):
            facts.append(([fact, "within", "3d"], t.Fact(word(fact), "within", word("3d"), False, HERE)))
        tokens, value = draw(words["string"] | words["name"] | words["date"])
        facts.append(([fact, sign, *tokens], t.Fact(word(fact), sign, value, tokens[0][0] == '"', HERE)))
    return block(["posture", name], facts), t.PostureDef(word(name), tuple(f for _, f in facts), HERE)


@st.composite
def interfaces(draw: Draw) -> Written:
    device = draw(st.sampled_from(["wan0", "eth0.5", "br-lan", "zone", "0p1"]))
    carried, trunk = draw(st.just(([], ())) | several(words["zone"]))
    own, addresses_ = draw(st.just(([], ())) | several(words["address"]))
    bridge, isolated = draw(st.booleans()), draw(st.booleans())
    masked, masquerade = draw(
        st.sampled_from(
            [
                ([], ()),
                (["masquerade"], (4, 6)),
                (["masquerade", "ipv4"], (4,)),
                (["masquerade", "ipv6"], (6,)),
            ]
        )
    )
    zone = draw(zone_names)
    ports = [
        (
            ["port", "p1", "zone", zone, *["isolated"] * isolated],
            t.Port(word("p1"), (word(zone),), False, isolated, HERE),
        )
    ]
    ports *= bridge
    items = [(["bridge"] * bridge, None), (["trunk", *carried] if carried else [], None), *ports]
    items += [(["address", *own] if own else [], None), (masked, None)]
    tree = t.Interface(
        word(device), (), trunk, bridge, tuple(p for _, p in ports), addresses_, masquerade, HERE
    )
    return block(["interface", device], items), tree


@st.composite
def gateways(draw: Draw) -> Written:
    name, inside = draw(names), draw(st.lists(interfaces(), max_size=2))
    (service, a), (end, b), (given, c), (target, d) = (
        draw(services),
        draw(ends()),
        draw(one_service),
        draw(terms()),
    )
    lines = [
        (["serve", *service, "to", *end], t.Serve(a, b, HERE)),
        (["manage", "from", *end, ":", *service], t.Manage(b, a, HERE)),
        (["publish", *given, "on", "wan0", "->", *target], t.Publish(c, word("wan0"), d, None, HERE)),
    ]
    kinds = tuple((node,) for _, node in lines)
    found = tuple(node for _, node in inside)
    return block(["gateway", name], [*inside, *lines]), t.GatewayDef(word(name), found, (), *kinds, (), HERE)  # type: ignore[arg-type]


@st.composite
def small(draw: Draw) -> Written:
    kind = draw(st.sampled_from(["import", "timezone", "service", "set"]))
    if kind in ("import", "timezone"):
        tokens, value = draw(words["string"])
        return [kind, *tokens], (t.Import if kind == "import" else t.Timezone)(value, HERE)
    name = draw(zone_names)
    tokens, value = draw(services if kind == "service" else ends())
    return [kind, name, "=", *tokens], (t.ServiceDef if kind == "service" else t.SetDef)(
        word(name), value, HERE
    )


statements = st.one_of(
    flows(),
    nevers(),
    workflows(),
    trials(),
    zones(),
    small(),
    groups(),
    postures(),
    gateways(),
    sources(),
    revocations(),
)
gaps = st.sampled_from(
    [" ", " ", " ", " ", "\n", "\n\n\n", "  ", "\t", ";", " # c\n", "\n# own\n", "\r\n", " #\n\n# b\n\n"]
)


@st.composite
def policies(draw: Draw) -> tuple[str, t.File]:
    found = draw(st.lists(statements, max_size=4))
    tokens = [token for tokens, _ in found for token in tokens]
    between = draw(st.lists(gaps, min_size=len(tokens), max_size=len(tokens)))
    text = "".join(token + gap for token, gap in zip(tokens, between, strict=True))
    return draw(gaps) + text, t.File(tuple(node for _, node in found))


def read(text: str) -> t.File:
    file, found = parse(SourceFile("p.seg", text))
    assert found == (), (text, found)
    return file


def comments(text: str) -> list[str]:
    """Comments in order; texts of strings are taken out first, since they may hold a `#`."""
    return [found.rstrip() for found in re.findall(r"#.*", re.sub(r'"(?:[^"\\\n]|\\.)*"', "", text))]


@given(policies())
@settings(max_examples=150, deadline=None)
def test_trees_survive_writing_and_formatting(policy: tuple[str, t.File]) -> None:
    text, file = policy
    assert read(text) == file
    formatted = format_source(SourceFile("p.seg", text))
    assert read(formatted) == file
    assert format_source(SourceFile("p.seg", formatted)) == formatted
    assert comments(formatted) == comments(text)
    assert "\n\n\n" not in formatted
    assert all(line == line.rstrip() for line in formatted.split("\n"))
    code = [line.split("  #")[0] for line in formatted.split("\n") if "," not in line and " : " not in line]
    assert all(len(line) <= WIDTH for line in code if '"' not in line)


def harmless(text: str) -> None:
    source = SourceFile("p.seg", text)
    _, found = parse(source)
    assert len(found) <= MAX_ERRORS
    for diagnostic in found:
        assert diagnostic.primary is not None
        assert 0 <= diagnostic.primary.span.start <= diagnostic.primary.span.end <= len(text)
    if not found:
        formatted = format_source(source)
        assert format_source(SourceFile("p.seg", formatted)) == formatted


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=2000)
def test_random_text_is_harmless(text: str) -> None:
    harmless(text)


soup = st.sampled_from(
    [
        *KEYWORDS,
        *"{}(),:=;#\n\"'",
        "->",
        "~>",
        ">=",
        "a",
        "a.b",
        "10.0.0.1",
        "::1",
        "tcp/80",
        '"s"',
        "10",
        "08:00-09:00",
    ]
)


@given(st.lists(st.tuples(soup, st.sampled_from(["", " ", "\n"])), max_size=60))
@settings(max_examples=300, deadline=2000)
@example([("zone", " "), ("b", " "), ("{", " "), ("vlan", " "), ("}", "")])
def test_token_soup_is_harmless(tokens: list[tuple[str, str]]) -> None:
    harmless("".join(token + gap for token, gap in tokens))


@given(policies(), st.data())
@settings(max_examples=200, deadline=2000)
def test_damaged_policies_are_harmless(policy: tuple[str, t.File], data: st.DataObject) -> None:
    text = policy[0]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 5)))
        text = text[:start] + data.draw(soup | st.just("")) + text[end:]
    harmless(text)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytes") / "p.seg"


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=2000)
def test_random_bytes_are_harmless(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    found = load([str(file)])
    assert found.files or found.diagnostics
