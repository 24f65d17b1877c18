"""The command `completion`: what a shell needs to complete commands, options and names of actors."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from callboard.cli import _options

_INSTALL: Final = {
    "bash": 'Put this line into ~/.bashrc:  eval "$(callboard completion bash)"',
    "zsh": 'Put this line into ~/.zshrc:  eval "$(callboard completion zsh)"',
    "fish": "Run once:  callboard completion fish > ~/.config/fish/completions/callboard.fish",
}


@click.command(
    epilog=_options.examples(
        'eval "$(callboard completion bash)" # in ~/.bashrc',
        'eval "$(callboard completion zsh)" # in ~/.zshrc',
        "callboard completion fish > ~/.config/fish/completions/callboard.fish # once",
    )
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, and names and ids of actors."""
    script = get_completion_class(shell)
    assert script is not None
    click.echo(f"# {_INSTALL[shell]}")
    click.echo(script(ctx.find_root().command, {}, "callboard", "_CALLBOARD_COMPLETE").source())
