"""The layout that `format_source` gives; that it changes nothing else is in tests/property."""

from textwrap import dedent

import pytest

from segc.source import SourceFile
from segc.syntax.format import WIDTH, format_source


def formatted(text: str) -> str:
    return format_source(SourceFile("p.seg", text))


def check(before: str, after: str) -> None:
    assert formatted(dedent(before)) == dedent(after).lstrip("\n")
    assert formatted(dedent(after)) == dedent(after).lstrip("\n")


def test_spacing() -> None:
    check(
        "allow  a , b.c->d:tcp/80,e   log\nset s=a,b   except c\nallow group g in(a,b) -> c:d\n",
        "allow a, b.c -> d : tcp/80, e log\nset s = a, b except c\nallow group g in (a, b) -> c : d\n",
    )


def test_a_block_on_one_line_stays_on_it() -> None:
    check("zone a{vlan 1 subnet 10.0.0.0/8}", "zone a { vlan 1; subnet 10.0.0.0/8 }\n")
    check("workflow w { a->b:c d->e:f }", "workflow w { a -> b : c; d -> e : f }\n")
    check("zone a {\n\n}", "zone a {}\n")


def test_a_block_on_several_lines_gets_a_line_for_each_item() -> None:
    check(
        """
        gateway g {   interface x { bridge port p zone a
             port q trunk a, b isolated } ; address a 10.0.0.1/24
        serve dns to a }
        """,
        """
        gateway g {
          interface x {
            bridge
            port p zone a
            port q trunk a, b isolated
          }
          address a 10.0.0.1/24
          serve dns to a
        }
        """,
    )


def test_a_block_that_does_not_fit_is_opened() -> None:
    about = "x" * 80
    check(
        f'zone a {{ vlan 1; host b = 10.0.0.1 {{ tag c }}; about "{about}" }}',
        f'zone a {{\n  vlan 1\n  host b = 10.0.0.1 {{ tag c }}\n  about "{about}"\n}}\n',
    )


def test_a_long_flow_breaks_before_its_options_and_a_short_one_does_not() -> None:
    check(
        """
        allow a -> b : c
            log
        allow group finance, group auditors in vpn -> finance : erp, https require mfa, posture managed log
        allow group finance, group auditors in vpn -> finance : erp, https require mfa, posture managed
            when mon log
        """,
        """
        allow a -> b : c log
        allow group finance, group auditors in vpn -> finance : erp, https require mfa, posture managed log
        allow group finance, group auditors in vpn -> finance : erp, https
            require mfa, posture managed
            when mon
            log
        """,
    )


def test_owner_ticket_and_reason_share_a_line() -> None:
    flow = "allow a -> b : c require mfa, posture managed"
    check(
        f'{flow} owner "it-ops" ticket "CHG-104" because "month-end close of the books"',
        """
        allow a -> b : c
            require mfa, posture managed
            owner "it-ops" ticket "CHG-104" because "month-end close of the books"
        """,
    )
    check(
        f'{flow} owner "it-ops" because "{"x" * 90}" ticket "CHG-104"',
        f"""
        allow a -> b : c
            require mfa, posture managed
            owner "it-ops"
            because "{"x" * 90}"
            ticket "CHG-104"
        """,
    )


def test_a_long_list_breaks_behind_commas() -> None:
    names = [f"zone-{i:04}" for i in range(30)]
    lines = formatted(f"set all = {', '.join(names)}").splitlines()
    assert len(lines) == 4
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.startswith("    zone-") for line in lines[1:])


def test_comments_stay_where_they_were() -> None:
    check(
        """


        #first
        zone a {   #behind the brace
              # of its own
          vlan 10;   # behind an item


          # before the brace
        }     # behind the brace
        allow a, # in the middle
        b -> c
           # alone in the middle
          : d log # at the end
        # last
        """,
        """
        #first
        zone a {  #behind the brace
          # of its own
          vlan 10  # behind an item

          # before the brace
        }  # behind the brace
        allow a,  # in the middle
            b -> c
            # alone in the middle
            : d
            log  # at the end
        # last
        """,
    )


def test_blank_lines_keep_groups_apart() -> None:
    check(
        "zone a {}\n\n\n\nzone b {\n\n  vlan 1\n\n}\nzone c {}\n\n\n",
        "zone a {}\n\nzone b {\n  vlan 1\n}\nzone c {}\n",
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# c", "\n\n# c\n\n\n# d"])
def test_files_without_statements(text: str) -> None:
    assert formatted(text) == "".join(f"{line}\n" for line in text.strip().split("\n\n\n") if line).replace(
        "\n#", "\n\n#", 1
    )


def test_line_ends_and_byte_order_mark() -> None:
    assert formatted("\ufeffzone a {\r\n vlan 1 # c\r\n}\r\n") == "zone a {\n  vlan 1  # c\n}\n"


def test_no_layout_for_what_does_not_parse() -> None:
    with pytest.raises(ValueError, match="syntax errors"):
        formatted("zone a {")
    with pytest.raises(ValueError, match="syntax errors"):
        formatted("zone ' {}")


@pytest.mark.parametrize(
    "text",
    [
        f"allow {'a' * 50}, {'b' * 50} -> c : tcp/80 until 2020-01-01  # segc: accept SEG318 -- kept\n",
        f'zone a {{ vlan 1; about "{"x" * 90}" }}  # segc: accept SEG214 -- to come\n',
        f"# segc: accept SEG307 -- kept\n# for now\nallow {'a' * 50}, {'b' * 50} -> c : tcp/80\n",
        "zone a { vlan 1  # segc: accept SEG214 -- to come\n  tag b\n}\n",
        "zone a {\n  vlan 1\n  subnet 10.0.0.1 }  # segc: accept SEG222 -- one machine\nset b = a\n",
        f"# segc: accept SEG307 -- kept\nallow {'a' * 50}, {'b' * 50} -> c : tcp/80\n",
        "set b = a; set c = a  # segc: accept SEG407 -- to come\n",
    ],
)
def test_what_shares_a_line_with_an_acceptance_stays_there(text: str) -> None:
    """It counts for findings that begin on its line, and for no others."""
    assert formatted(text) == text
