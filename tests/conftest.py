"""Settings of all tests."""

import os

from hypothesis import settings

# Who asks for more examples wants new ones; all others want to know what their change did.
settings.register_profile("same", derandomize=True)
if "SEGC_EXAMPLES" not in os.environ:
    settings.load_profile("same")
