"""The only code that touches a kernel."""
