"""The command line: `callboard --help`."""

from callboard.cli._main import main

__all__ = ["main"]
