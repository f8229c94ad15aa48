"""Where a policy is enforced."""

from __future__ import annotations

from typing import Any

from lark import Token

from segc.syntax import tree as t
from segc.syntax.build.blocks import Blocks, block, families, has, of, values


class Network(Blocks):
    def gateway(self, c: list[Any]) -> t.GatewayDef:
        items = block(c)
        return t.GatewayDef(
            self.word(c[1]),
            of(t.Interface, items),
            of(t.GatewayAddress, items),
            of(t.Serve, items),
            of(t.Manage, items),
            of(t.Publish, items),
            of(t.Setting, items),
            self.around(c),
        )

    def interface(self, c: list[Any]) -> t.Interface:
        items = block(c)
        return t.Interface(
            self.word(c[1]),
            values(items, "zone"),
            values(items, "trunk"),
            has(items, "bridge"),
            of(t.Port, items),
            values(items, "address"),
            families(items, "masquerade"),
            self.around(c),
        )

    def gateway_address(self, c: list[Any]) -> t.GatewayAddress:
        return t.GatewayAddress(self.word(c[1]), tuple(c[2]), self.over(c[0], c[2][-1].span.end))

    def serve(self, c: list[Any]) -> t.Serve:
        return t.Serve(tuple(c[1]), c[3], self.around(c))

    def manage(self, c: list[Any]) -> t.Manage:
        return t.Manage(c[2], tuple(c[4]), self.over(c[0], c[4][-1].span.end))

    def publish(self, c: list[Any]) -> t.Publish:
        changed = c[7] if len(c) == 8 else None
        return t.Publish(c[1], self.word(c[3]), c[5], changed, self.around(c))

    def port(self, c: list[Any]) -> t.Port:
        trunk, dot1x = c[2].type == "TRUNK", c[2].type == "DOT1X"
        last = c[-1]
        isolated = isinstance(last, Token) and last.type == "ISOLATED"
        zones = () if dot1x else tuple(c[3]) if trunk else (self.word(c[3]),)
        end = last.end_pos if isolated or dot1x else zones[-1].span.end
        return t.Port(self.word(c[1]), zones, trunk, isolated, self.over(c[0], end), dot1x)

    def switch(self, c: list[Any]) -> t.SwitchDef:
        items = block(c)
        return t.SwitchDef(self.word(c[1]), of(t.Setting, items), of(t.Port, items), self.around(c))
