"""The statements that define something, and those about the policy as a whole."""

from __future__ import annotations

from typing import Any

from segc.syntax import tree as t
from segc.syntax.build.blocks import Blocks, block, of, values


class Inventory(Blocks):
    def import_(self, c: list[Any]) -> t.Import:
        return t.Import(self.word(c[1]), self.around(c))

    def timezone(self, c: list[Any]) -> t.Timezone:
        return t.Timezone(self.word(c[1]), self.around(c))

    def service(self, c: list[Any]) -> t.ServiceDef:
        return t.ServiceDef(self.word(c[1]), tuple(c[3]), self.over(c[0], c[3][-1].span.end))

    def set_(self, c: list[Any]) -> t.SetDef:
        return t.SetDef(self.word(c[1]), c[3], self.around(c))

    def zone(self, c: list[Any]) -> t.ZoneDef:
        items = block(c)
        return t.ZoneDef(
            self.word(c[1]), of(t.Setting, items), of(t.Host, items), self.around(c), of(t.Dot1x, items)
        )

    def dot1x(self, c: list[Any]) -> t.Dot1x:
        names = tuple(c[2]) if len(c) == 3 else ()
        last = names[-1].span.end if names else c[1].end_pos
        return t.Dot1x(c[1].value, names, self.over(c[0], last))

    def host(self, c: list[Any]) -> t.Host:
        addresses = tuple(c[3])
        items = block(c) if len(c) > 4 else []
        end = c[-1].end_pos if len(c) > 4 else addresses[-1].span.end
        span = self.over(c[0], end)
        return t.Host(self.word(c[1]), addresses, values(items, "mac"), values(items, "tag"), span)

    def group(self, c: list[Any]) -> t.GroupDef:
        items = block(c)
        users, groups = values(items, "user"), values(items, "group")
        return t.GroupDef(self.word(c[1]), users, groups, None, self.around(c))

    def directory_group(self, c: list[Any]) -> t.GroupDef:
        return t.GroupDef(self.word(c[1]), (), (), self.word(c[4]), self.around(c))

    def posture(self, c: list[Any]) -> t.PostureDef:
        return t.PostureDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def fact(self, c: list[Any]) -> t.Fact:
        name, operator, value = c
        quoted = value.type == "STRING"
        return t.Fact(self.word(name), operator.value, self.word(value), quoted, self.around(c))

    def session(self, c: list[Any]) -> t.SessionDef:
        return t.SessionDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def source(self, c: list[Any]) -> t.SourceDef:
        return t.SourceDef(self.word(c[1]), self.word(c[2]), tuple(block(c)), self.around(c))

    def directory(self, c: list[Any]) -> t.DirectoryDef:
        return t.DirectoryDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def revoke(self, c: list[Any]) -> t.Revoke:
        return t.Revoke(self.word(c[2]) if len(c) == 5 else None, self.word(c[-1]), self.around(c))

    def limits(self, c: list[Any]) -> t.LimitsDef:
        return t.LimitsDef(tuple(block(c)), self.around(c))

    def workflow(self, c: list[Any]) -> t.Workflow:
        return t.Workflow(self.word(c[1]), tuple(block(c)), self.around(c))

    def test(self, c: list[Any]) -> t.Test:
        return t.Test(self.word(c[1]), tuple(block(c)), self.around(c))
