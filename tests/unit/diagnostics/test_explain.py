import re
from pathlib import Path

import pytest

import segc
from segc.diagnostics.codes import RULES
from segc.diagnostics.explain import explanation, lead, render_explanation
from tests.diagnostics.examples import ExampleFile, example_files, examples

PAGES = Path(segc.__file__).parent / "explain"
WITHOUT_A_PLACE = {"SEG002", "SEG006", "SEG112"}


@pytest.mark.parametrize("code", RULES)
def test_every_code_has_a_page_of_the_agreed_form(code):
    page = explanation(code)
    headings = re.findall(r"^##? .*$", re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S), re.M)
    assert headings[:3] == [f"# {code} {RULES[code].name}", "## Fails", "## Fixed"]
    assert headings[3:] in ([], ["## When to accept it"])
    assert lead(code).endswith(".")
    failing, fixed = examples(code)
    markers = re.findall(r"# <- (SEG\d\d\d)$", failing, re.M)
    assert markers == ([] if code in WITHOUT_A_PLACE else [code])
    assert "# <-" not in fixed
    assert example_files(failing)
    assert example_files(fixed)


def test_every_page_belongs_to_a_code():
    assert {page.stem for page in PAGES.glob("*.md")} == set(RULES)


def test_there_is_no_page_for_what_is_no_code():
    for code in ("SEG999", "../SEG001", "", "seg001"):
        assert explanation(code) is None
        assert render_explanation(code, False, 80) is None
    with pytest.raises(ValueError, match="SEG999"):
        examples("SEG999")


def test_a_block_stands_for_files():
    assert example_files("zone a {}\n") == (ExampleFile("policy.seg", "zone a {}\n"),)
    assert example_files("# file: a.seg\nx\n# file: sub/b.seg (latin-1)\ny\nz\n") == (
        ExampleFile("a.seg", "x\n"),
        ExampleFile("sub/b.seg", "y\nz\n", "latin-1"),
    )
    assert (
        example_files("# repeat n = 1-3: set s{n} = s{n-1}\n")[0].text
        == "set s1 = s0\nset s2 = s1\nset s3 = s2\n"
    )
    with pytest.raises(ValueError, match="begins with"):
        example_files("zone a {}\n# file: a.seg\nx\n")


def test_a_page_is_filled_for_the_terminal():
    assert render_explanation("SEG103", False, 60) == (
        "SEG103 circular-definition\n"
        "\n"
        "A set, service or group contains itself, directly or by way\n"
        "of others, so there is no telling what it holds.\n"
        "\n"
        "Fails\n"
        "\n"
        "    service intranet = tcp/443, tools\n"
        "    service tools = tcp/8443, intranet  # <- SEG103\n"
        "\n"
        "Fixed\n"
        "\n"
        "    service intranet = tcp/443, tools\n"
        "    service tools = tcp/8443\n"
    )


def test_a_page_in_colour_reads_the_same():
    colored = render_explanation("SEG301", True, 80)
    assert "\x1b[1mFails\x1b[0m" in colored
    assert re.sub(r"\x1b\[\d*m", "", colored) == render_explanation("SEG301", False, 80)
