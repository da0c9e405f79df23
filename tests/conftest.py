"""What every test may use."""

from __future__ import annotations

import os

# A test starts programs; their settings come from the test alone.
for _name in [name for name in os.environ if name.startswith("TELECINE_")]:
    del os.environ[_name]
