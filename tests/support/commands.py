"""Commands of the command line, run in this process."""

from click.testing import CliRunner, Result

from callboard.cli import main

__all__ = ["run"]


def run(*words: str, code: int = 0) -> Result:
    """Run a command, which must exit with this code."""
    result = CliRunner().invoke(main, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result
