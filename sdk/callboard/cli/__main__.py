"""The same as the command `callboard`, for where only a Python is at hand: `python -m callboard.cli`."""

from callboard.cli import main

main(prog_name="callboard")
