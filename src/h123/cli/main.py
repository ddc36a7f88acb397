"""`h123`: the command. Each part of it is a module that is imported when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

_PARTS = {"fetch": ("fetch.command", "fetch"), "serve": ("serve", "serve")}
"""Where each part stands: its module here, and the name of its command there."""


class Parts(click.Group):
    """A group of commands that imports the one that is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of the parts."""
        return list(_PARTS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a part's command, or None if there is no such part."""
        if name not in _PARTS:
            return None
        module, attribute = _PARTS[name]
        command: click.Command = getattr(import_module(f"h123.cli.{module}"), attribute)
        return command


def _print_version(context: click.Context, option: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        from .version import version_text

        click.echo(version_text())
        context.exit()


@click.group(
    cls=Parts, no_args_is_help=False, invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
@click.option(
    "-V", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Print the version, and which engines run.",
)  # fmt: skip
@click.pass_context
def h123(context: click.Context) -> None:
    """HTTP/1.1, HTTP/2 and HTTP/3: serve a folder, fetch a URL."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command and exit: what goes wrong is one line on stderr and an exit code."""
    code: object
    try:
        code = h123.main(standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "h123"
        hint = f"`{where} --help` tells what there is"
        click.echo(f"h123: {error.format_message().rstrip('.')} ({hint})", err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"h123: {error.format_message()}", err=True)
        code = error.exit_code
    except click.Abort:
        code = 130
    except BrokenPipeError:  # whoever read our output has read enough
        _drop_output()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """Point stdout to nowhere, so that Python does not complain when it flushes it at the end."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
