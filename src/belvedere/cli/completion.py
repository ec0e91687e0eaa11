"""`belvedere completion SHELL`: what a shell needs to complete nouns, verbs and options."""

import click
from click.shell_completion import get_completion_class


@click.command(epilog="Example: belvedere completion fish > ~/.config/fish/completions/belvedere.fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash, for example: `eval "$(belvedere completion bash)"` in `~/.bashrc`.
    """
    from belvedere.cli.main import COMPLETION, belvedere

    found = get_completion_class(shell)
    if found is None:
        message = f"click knows no completion for {shell}"
        raise click.UsageError(message)
    click.echo(found(belvedere, {}, "belvedere", COMPLETION).source())
