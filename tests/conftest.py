"""What holds for all tests."""

import hypothesis

# How long an example takes says something about the machine only.
hypothesis.settings.register_profile("callboard", deadline=None)
hypothesis.settings.load_profile("callboard")
