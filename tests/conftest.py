"""What holds for all tests."""

import os
import tempfile

import hypothesis
from hypothesis import HealthCheck

# How long an example takes says something about the machine only, and large bodies are wanted.
hypothesis.settings.register_profile(
    "callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
hypothesis.settings.load_profile("callboard")

# Shared memory of this run alone, in which nothing of others can be taken for a leak.
_shared = tempfile.TemporaryDirectory(prefix="cb-run-", dir="/dev/shm", ignore_cleanup_errors=True)
os.environ["CALLBOARD_SHM_DIR"] = _shared.name
