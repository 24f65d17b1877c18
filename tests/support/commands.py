"""Commands of the command line, run in this process."""

from click.testing import CliRunner

from callboard.cli import main

__all__ = ["logs"]


def logs(*words: str, code: int = 0) -> str:
    """Run `callboard logs`, which must exit with this code, and return what it prints."""
    result = CliRunner().invoke(main, ["logs", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output
