"""What segc has to say about a policy, and how it is shown."""

from segc.diagnostics.model import Diagnostic, Label, Report, Severity

__all__ = ["Diagnostic", "Label", "Report", "Severity"]
