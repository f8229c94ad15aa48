"""What is spoken."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span
from segc.syntax.tree.ends import Word


@frozen
class ServiceLiteral:
    """`tcp/443`, `tcp/8000-8100`, `icmp/echo-request`, `proto/47`, or a protocol alone (`udp`)."""

    protocol: Word
    argument: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class ServiceName:
    name: str
    span: Span = field(compare=False, repr=False)


@frozen
class AnyService:
    span: Span = field(compare=False, repr=False)


Service = ServiceLiteral | ServiceName | AnyService
