"""What the command line shows: progress for people on stderr, one JSON document for programs on stdout."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rich.console


class Console:
    """Progress and results for a person, on stderr; stdout stays free for `finish`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    @cached_property
    def _rich(self) -> "rich.console.Console":
        import rich.console  # not for --help

        return rich.console.Console(stderr=True, quiet=self._quiet, highlight=False)

    def info(self, message: str) -> None:
        """Show one line; square brackets in it are text, not markup."""
        self._rich.print(message, markup=False, soft_wrap=True)

    def error(self, message: str) -> None:
        """Show one line in red."""
        self._rich.print(message, style="red", markup=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show that a step has begun, and how many seconds it took."""
        started = time.perf_counter()
        with self._rich.status(name):
            try:
                yield
            except BaseException:
                self._rich.print(
                    f"✗ {name}  {time.perf_counter() - started:.1f} s", style="red", markup=False
                )
                raise
        self._rich.print(f"✓ {name}  {time.perf_counter() - started:.1f} s", markup=False)

    def done(self, name: str, detail: str, seconds: float) -> None:
        """Show one finished step: what it was, what came of it, how long it took."""
        self._rich.print(
            f"✓ {name}  {detail}{'  ' if detail else ''}{seconds:.1f} s", markup=False, soft_wrap=True
        )

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show what is going on, with the seconds ticking; yields a function that changes the text."""
        import rich.progress

        columns = (
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.TimeElapsedColumn(),
        )
        with rich.progress.Progress(*columns, console=self._rich, transient=True) as progress:
            line = progress.add_task(text)
            shown = text

            def change(to: str) -> None:
                nonlocal shown
                if to != shown:
                    shown = to
                    progress.reset(line, description=to)

            yield change

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None
    ) -> None:
        """Show rows under column names; nothing is cut off, and the first column stays on one line."""
        import rich.box
        import rich.table

        shown = [rich.table.Column(one, overflow="fold", no_wrap=one == columns[0]) for one in columns]
        table = rich.table.Table(*shown, title=title, box=rich.box.SIMPLE_HEAD, title_justify="left")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        self._rich.print(table)


def finish(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Write the result of a command to stdout: one JSON document, or `name  value` lines for a person."""
    if as_json:
        sys.stdout.write(json.dumps(result, default=str, allow_nan=False) + "\n")
        return
    width = max((len(name) for name in result), default=0)
    for name, value in result.items():
        shown = json.dumps(value, default=str) if isinstance(value, dict | list) else value
        sys.stdout.write(f"{name:<{width}}  {shown}\n")
