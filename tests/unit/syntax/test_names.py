"""Keywords are keywords only where they can be meant: elsewhere they are names like any other."""

import re

import pytest

from segc.source import SourceFile
from segc.syntax import grammar
from segc.syntax import tree as t
from segc.syntax.hints.words import RESERVED
from segc.syntax.parse import parse

KEYWORDS = sorted(set(re.findall(r'^[A-Z0-9_]+: "([a-z0-9]+)"$', grammar.text(), re.MULTILINE)))
FOREIGN = ["ip", "dst", "accept", "fwd", "drop", "saddr", "None", "_", "__init__", "x-y--z"]

ZONE_POSITIONS = [
    "zone {n} {{ vlan 1 }}",
    "set {n} = {n}",
    "set s = {n}, {n}.h except {n}, {n}.h",
    "allow {n} -> {n} : web log",
    "allow as f {n}, {n} -> {n} except {n} : any",
    "deny {n}->{n}:{n} log allow {n}->{n}:{n}",
    "staged deny {n} -> {n} : {n}, {n} when daily from 2027-01-01 deny {n} -> {n} : {n}",
    "never {n} -> {n} never {n} ~> {n} : {n} zone {n} {{}}",
    "workflow {n} {{ {n} -> {n} : {n} {n}.h, {n} -> {n} : {n}, tcp/1 {n} -> {n} : any }}",
    'test "t" {{ allow {n} -> {n} : {n} deny {n} -> {n} : {n} with mfa at "x" allow {n} -> {n} : {n} }}',
    'allow group {n} in {n}, user "u" in ({n}, {n}) -> {n} : {n} require mfa, posture {n} log',
    "gateway g {{ interface e {{ zone {n} trunk {n}, {n} bridge port p zone {n} port q trunk {n}, {n} }} }}",
    "gateway g {{ address {n} 10.0.0.1/24 serve {n}, {n} to {n} manage from {n} : {n} serve {n} to {n} }}",
    "gateway g {{ publish {n} on e -> {n}.h : {n} publish {n} on e -> {n} mark 0x1 }}",
    "switch {n} {{ platform {n} port p zone {n} port q dot1x port p trunk {n}, {n} port q dot1x isolated }}",
    "source {n} {n} {{ zone {n}, {n} mfa zone {n} posture {n}, {n} max 1h posture {n} zone {n} }}",
]
OTHER_POSITIONS = [
    "service {n} = {n}, tcp/1",
    "service s = {n} service t = {n}, {n}",
    "zone z {{ host {n} = 10.0.0.1 host {n} = 10.0.0.2 {{ tag {n}, {n} }} tag {n}, {n} }}",
    "zone z {{ intra {n} refuse {n} external tag {n} vlan 1 }}",
    "allow z.{n} -> tag {n}, gateway {n}, group {n} : {n}",
    "allow as {n} z -> z : {n} require posture {n}, mfa when {n}, {n} 08:00-09:00",
    "group {n} {{ group {n}, {n} group {n} }}",
    'group {n} from directory "x"',
    "posture {n} {{ {n} = {n} {n} >= {n} }}",
    "posture {n} {{ {n} within 3d {n} = {n} {n} within 4d }}",
    "session {n} {{ max 1h }}",
    "zone z {{ dot1x group {n}, {n} dot1x mac dot1x group {n} vlan 1 }}",
    "directory {n} {{ sync 5m timeout 1s }} revoke group {n} within 1h revoke within 1h directory {n} {{}}",
    "gateway {n} {{ interface {n} {{ bridge port {n} zone z address {n} }} }}",
    "workflow {n} {{ z -> z : {n} }}",
]


def errors(text: str) -> list[str]:
    return [found.message for found in parse(SourceFile("p.seg", text))[1]]


def test_the_keywords_are_found() -> None:
    assert {"zone", "log", "allow", "any", "in", "address"} <= set(KEYWORDS)
    assert set(KEYWORDS) > RESERVED


@pytest.mark.parametrize("text", ZONE_POSITIONS)
@pytest.mark.parametrize("word", [*sorted(set(KEYWORDS) - RESERVED), *FOREIGN])
def test_any_other_word_names_a_zone_or_a_service(word: str, text: str) -> None:
    assert errors(text.format(n=word)) == []


@pytest.mark.parametrize("text", OTHER_POSITIONS)
@pytest.mark.parametrize("word", [*KEYWORDS, *FOREIGN])
def test_every_word_names_what_is_no_zone(word: str, text: str) -> None:
    assert errors(text.format(n=word)) == []


@pytest.mark.parametrize("word", sorted(RESERVED))
@pytest.mark.parametrize(
    "text", ["zone {n} {{}}", "set {n} = a", "gateway g {{ interface e {{ zone {n} }} }}"]
)
def test_reserved_words_name_no_zone(word: str, text: str) -> None:
    (message,) = errors(text.format(n=word))
    assert message == f"`{word}` means something in every end, so no zone or set can be named so"


@pytest.mark.parametrize("word", sorted(set(KEYWORDS) - RESERVED))
def test_a_keyword_as_a_prefix_is_no_keyword(word: str) -> None:
    file, found = parse(SourceFile("p.seg", f"allow {word}s -> {word}-x : {word}_1, {word}s log"))
    assert found == ()
    (flow,) = file.statements
    assert isinstance(flow, t.Flow)
    assert flow.options.log is not None
    assert [s.name for s in flow.services if isinstance(s, t.ServiceName)] == [f"{word}_1", f"{word}s"]


def test_a_service_and_an_option_of_one_name() -> None:
    file, found = parse(SourceFile("p.seg", "allow log -> accept : log, tcp/80 log"))
    assert found == ()
    (flow,) = file.statements
    assert isinstance(flow, t.Flow)
    assert len(flow.services) == 2
    assert flow.options.log is not None


def test_the_dash_of_an_arrow_is_no_part_of_a_name() -> None:
    assert errors("zone a- {} allow a-->b : c allow a->b : c never a~>a-") == []
    assert errors("allow a --> b : c") == ["expected `,`, `->` or `except` after `a`, found `-->`"]
