"""The `aisle` command: one verb per step, each loaded only when it is asked for.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import json
import os
import sys
import warnings
from importlib import import_module
from typing import Any

import click

from pipelines.errors import AisleError, WrongUsageError
from pipelines.runtime import visible
from serving.credentials import without_credentials

VERBS = {
    "demo": ("pipelines.demo", "demo", "Run the whole loop on real shop data, here, and keep it running."),
    "ingest": ("pipelines.ingest.cli", "ingest", "Take shop data into the lake."),
    "quarantine": (
        "pipelines.ingest.quarantine_cli",
        "quarantine",
        "See the rows that broke a contract, and why.",
    ),
    "lake": ("pipelines.cli.lake", "lake", "Take single events out of the lake."),
    "features": (
        "pipelines.cli.features",
        "features",
        "Build, apply, materialize, serve, look features up.",
    ),
    "train": ("pipelines.release.train_cli", "train", "Train, measure and register one release."),
    "evaluate": ("pipelines.release.cli", "evaluate", "Score a release beside its baselines."),
    "backtest": ("pipelines.backtest.cli", "backtest", "Measure models on events they have not seen."),
    "tune": ("pipelines.backtest.tuning.cli", "tune", "Search settings of models, never on the test."),
    "release": ("pipelines.release.cli", "release", "Promote, roll back and look at releases."),
    "serve": ("pipelines.cli.serve", "serve", "Start the serving process."),
    "bench": ("pipelines.bench.cli", "bench", "Measure speed, beside peers on the same data."),
    "doctor": ("pipelines.cli.doctor", "doctor", "Check what this machine has and what is missing."),
}


PRIVATE = 0o077
"""What this command and its children write, shoppers' events among it, is for this user alone."""


class LazyVerbs(click.Group):
    """A group that imports a verb's module only when that verb runs, so that `aisle --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the flow."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, summary) for verb, (_, _, summary) in VERBS.items()])


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aisle", prog_name="aisle")
def aisle() -> None:
    """E-commerce search and recommendation: events in, personalised lists out."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with 0 (done), 1 (failed) or 2 (wrong usage)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.umask(PRIVATE)
    _hide_deprecations()
    try:
        result: Any = aisle.main(args=arguments, prog_name="aisle", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", arguments, code=130)
    except click.ClickException as error:
        _fail(_usage_message(error), arguments, code=error.exit_code if error.exit_code != 0 else 2)
    except WrongUsageError as error:
        _fail(str(error), arguments, code=2)
    except AisleError as error:
        _fail(str(error), arguments, code=1)
    else:
        sys.exit(result if isinstance(result, int) else 0)


def _hide_deprecations() -> None:
    """Show nobody what is meant for developers; Feast switches that on for all libraries when imported."""
    if sys.warnoptions:  # asked for by `python -W` or PYTHONWARNINGS
        return
    show = warnings.showwarning

    def show_others(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if not issubclass(category, DeprecationWarning):
            show(message, category, *rest, **more)

    warnings.showwarning = show_others


def _usage_message(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"expected a command, received none\n{error.format_message()}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()}\n{error.ctx.get_usage()}"
    return error.format_message()


def _fail(message: str, arguments: list[str], *, code: int) -> None:
    if "--json" in arguments:
        sys.stdout.write(json.dumps({"ok": False, "error": without_credentials(message)}) + "\n")
    sys.stderr.write(f"aisle: {visible(without_credentials(message))}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
