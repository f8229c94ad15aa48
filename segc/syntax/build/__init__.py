"""Builds the tree while Lark parses: one method for each production of grammar/segc.lark.

A method gets the children of its production, every token among them, and returns a node. Lists grow in
place: Lark's LALR parser never looks back at a value that it has reduced.
"""

from __future__ import annotations

from typing import Any

from segc.syntax import tree as t
from segc.syntax.build.ends import Ends
from segc.syntax.build.flows import Flows
from segc.syntax.build.inventory import Inventory
from segc.syntax.build.network import Network


class Builder(Ends, Flows, Inventory, Network):
    def start(self, c: list[Any]) -> t.File:
        return t.File(tuple(c[0]) if c else ())
