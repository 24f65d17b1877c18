"""What holds for all tests."""

import hypothesis
from hypothesis import HealthCheck

# How long an example takes says something about the machine only, and large bodies are wanted.
hypothesis.settings.register_profile(
    "callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
hypothesis.settings.load_profile("callboard")
