"""Ends of random flows, as the policy's text has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EndText:
    """Places, with who must be there (`group g1`, `user u1`) and who must not."""

    terms: tuple[str, ...]
    who: str = ""
    unless: str = ""

    @property
    def text(self) -> str:
        if self.who:
            return self.who + (f" in ({', '.join(self.terms)})" if self.terms else "")
        return ", ".join(self.terms) + (f" except {self.unless}" if self.unless else "")
