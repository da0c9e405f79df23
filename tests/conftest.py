"""What every test may use."""

from __future__ import annotations

import os
import random
import signal
import sys

from hypothesis import HealthCheck, settings

from encoder_service.worker.process.priority import refuse_real_time

# A test starts programs; their settings come from the test alone.
for _name in [name for name in os.environ if name.startswith("TELECINE_")]:
    del os.environ[_name]

# New in each run; a run is repeated by setting it. Left in the environment so that a run's processes agree.
os.environ.setdefault("TEST_SEED", str(random.SystemRandom().randrange(1 << 30)))

# A shell's background jobs ignore Ctrl-C, and so would every program that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A property does not depend on how busy the machine is that looks for a counter-example.
settings.register_profile("telecine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("telecine"), derandomize=True)
settings.load_profile("telecine")

# Tests open encoders in this process; SVT-AV1, run as root, would make it and its children real-time.
if sys.platform == "linux":
    refuse_real_time()
