"""The command `callboard` with all its commands."""

from __future__ import annotations

import click

from callboard.cli import _actions, _call, _completion, _daemons, _dead, _logs, _look, _options, _status
from callboard.cli._failures import Commands


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_options.examples(
        "callboard up # start a callboard on this machine",
        "callboard status # is it well?",
        "callboard list actors # who lives?",
        "callboard call counter add 5 # call a method of a named actor",
        "callboard down # end it",
    ),
)
def main() -> None:
    """Ray's actor API on Redis: start callboards, look at them, call and end actors.

    Commands use the callboard that --address names, else that of CALLBOARD_ADDRESS, else that of `callboard up`.

    Exit codes: 0 all right, 1 failure, 2 wrong usage, 3 no such actor or node, 4 the server does not answer.
    """


for command in (
    _daemons.up,
    _daemons.down,
    _status.status,
    _look.list_,
    _look.get,
    _look.summary,
    _logs.logs,
    _call.call,
    _actions.kill,
    _dead.dead,
    _daemons.supervisor,
    _actions.key,
    _actions.demo,
    _completion.completion,
    _actions.version,
):
    main.add_command(command)
