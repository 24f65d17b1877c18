"""What holds for all tests."""

import os
import signal
import tempfile
import uuid

import hypothesis
from hypothesis import HealthCheck
from tests.support.leaks import MARK

# How long an example takes says something about the machine only, and large bodies are wanted.
hypothesis.settings.register_profile(
    "callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
hypothesis.settings.load_profile("callboard")

# A shell that starts the tests in the background has them ignore interrupts, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A mark, files and shared memory of this process alone, in which nothing of those that run other tests at the same time
# can be taken for a leak.
_files = tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True)
_shared = tempfile.TemporaryDirectory(prefix="cb-run-", dir="/dev/shm", ignore_cleanup_errors=True)
os.environ.update({MARK: uuid.uuid4().hex, "TMPDIR": _files.name, "CALLBOARD_SHM_DIR": _shared.name})
tempfile.tempdir = None
