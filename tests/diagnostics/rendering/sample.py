"""Sources and findings that the renderers are tried on."""

from segc.diagnostics.model import Diagnostic, Label, Report, finding
from segc.source import SourceFile, Span

FLOWS = SourceFile(
    "office/flows.seg",
    "# who may reach payroll\n"
    "allow vendor -> hr.payroll : tcp/22\n"
    "\n\n\n\n\n\n\n"
    'deny vendor -> tag regulated : any because "PCI DSS 1.4"\n',
)
ZONES = SourceFile(
    "office/zones.seg",
    "zone vendor { subnet 10.10.90.0/24 }\nzone hr {\n  vlan 10\n  subnet 10.10.10.0/24\n}\n"
    "zone guest {\n\tvlan 10 }\n",
)


def at(source: SourceFile, text: str, after: int = 0) -> Span:
    start = source.text.index(text, after)
    return source.span(start, start + len(text))


def dead_flow() -> Diagnostic:
    return finding(
        "SEG301",
        "this flow is dead: every packet it allows is denied elsewhere",
        at(FLOWS, "allow vendor -> hr.payroll : tcp/22"),
        "allows 254 x 1 addresses, tcp/22",
        also=(
            Label(at(FLOWS, 'deny vendor -> tag regulated : any because "PCI DSS 1.4"'), "denies all of it"),
        ),
        notes=("for instance: 10.10.90.7 -> 10.10.10.20 tcp/22 is denied",),
        help="delete line 2, or write `deny vendor -> tag regulated except hr.payroll : any`",
    )


def idle_acceptance() -> Diagnostic:
    return finding("SEG004", "nothing here is `SEG301` (dead-flow) any more", at(ZONES, "zone hr"))


def missing_file() -> Diagnostic:
    return finding("SEG002", "there is no file `offfice`", None, help="did you mean `office`?")


def report(*diagnostics: Diagnostic) -> Report:
    return Report(diagnostics, (FLOWS, ZONES))
