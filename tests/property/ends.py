"""Ends of random flows, as the policy's text has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

E = TypeVar("E", bound="EndText")


@dataclass(frozen=True)
class EndText:
    """Places, with who must be there (`group g1`, `user u1`) and who must not."""

    terms: tuple[str, ...]
    who: str = ""
    unless: str = ""

    @property
    def text(self) -> str:
        places = ", ".join(self.terms)
        if self.who:
            places = self.who + (f" in ({places})" if places else "")
        return places + (f" except {self.unless}" if self.unless else "")


@st.composite
def end_texts(
    draw: st.DrawFn, make: Callable[..., E], where: Sequence[str], who: Sequence[str], gateway: str
) -> E:
    """Of places `where`, people `who` and a gateway; `make` is the class of the ends."""
    kind = draw(st.sampled_from(["place"] * 5 + ["who"] * 3 + ["unless", "gateway"]))
    if kind == "gateway":
        return make((gateway,))
    if kind == "who":
        zones = draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True))
        return make(tuple(zones), draw(st.sampled_from(who)))
    terms = tuple(draw(st.lists(st.sampled_from(where), min_size=1, max_size=2, unique=True)))
    return make(terms, unless=draw(st.sampled_from(who)) if kind == "unless" else "")
