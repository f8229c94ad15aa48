"""Settings of all tests."""

import os

from hypothesis import settings

# Who asks for more examples wants new ones; all others want to know what their change did.
# How long an example takes says more about the machine than about the code.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("more", deadline=None)
settings.load_profile("more" if "SEGC_EXAMPLES" in os.environ else "same")
