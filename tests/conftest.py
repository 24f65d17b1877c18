"""Each run of the suite has a temporary directory of its own: by that, leaks are told from what other runs do."""

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the directory, with a path short enough for sockets, and have it removed at the end."""
    folder = tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["TMPDIR"] = tempfile.tempdir = folder.name
