"""What the command line shows: progress for people on stderr, one JSON document for programs on stdout."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import rich.console


UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that change the direction of a text."""

NUMBER = re.compile(r"|[-+]?[\d.,]+(?: ?(?:%|s|ms|MB|GB))?")
"""A cell that is read as a number, or is empty."""

PADDING, LEAST_WIDTH = 2, 8
"""Blanks around a column, and characters of a folded one at least."""

PROGRESS_S = 60.0
"""Seconds between two lines of progress where there is no terminal."""


class Console:
    """Progress and results for a person, on stderr; stdout stays free for `finish`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    @cached_property
    def _rich(self) -> "rich.console.Console":
        import rich.console  # not for --help

        return rich.console.Console(stderr=True, quiet=self._quiet, highlight=False)

    def info(self, message: str) -> None:
        """Show one line, as it is: square brackets are no markup, control characters are shown escaped."""
        self._line(message)

    def error(self, message: str) -> None:
        """Show one line in red."""
        self._line(message, style="red")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show that a step has begun, and how many seconds it took."""
        from rich.text import Text

        started = time.perf_counter()
        with self._rich.status(Text(visible(name))):
            try:
                yield
            except BaseException:
                self._line(f"✗ {name}  {time.perf_counter() - started:.1f} s", style="red")
                raise
        self._line(f"✓ {name}  {time.perf_counter() - started:.1f} s")

    def done(self, name: str, detail: str, seconds: float) -> None:
        """Show one finished step: what it was, what came of it, how long it took."""
        self._line(f"✓ {name}  {detail}{'  ' if detail else ''}{seconds:.1f} s")

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show what is going on, with the seconds ticking; yields a function that changes the text.

        Where there is no terminal, such as in a scheduler's log, a line a minute says that it still goes on.
        """
        import rich.progress

        if not self._rich.is_terminal:
            with self._line_a_minute(text) as change:
                yield change
            return
        columns = (
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.TimeElapsedColumn(),
        )
        with rich.progress.Progress(*columns, console=self._rich, transient=True) as progress:
            line = progress.add_task(visible(text))
            shown = text

            def change(to: str) -> None:
                nonlocal shown
                if to != shown:
                    shown = to
                    progress.reset(line, description=visible(to))

            yield change

    @contextmanager
    def _line_a_minute(self, text: str) -> Iterator[Callable[[str], None]]:
        """The same for a log: what goes on, each time a minute has passed."""
        shown, started, ended = text, time.monotonic(), threading.Event()

        def change(to: str) -> None:
            nonlocal shown
            shown = to

        def tell() -> None:
            while not ended.wait(PROGRESS_S):
                self._line(f"… {shown}  {time.monotonic() - started:.0f} s")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield change
        finally:
            ended.set()
            teller.join()

    def _line(self, text: str, style: str | None = None) -> None:
        self._rich.print(visible(text), style=style, markup=False, soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None
    ) -> None:
        """Show rows under column names.

        Texts are folded where the terminal is narrow; the first column and numbers stay on one line, whole.
        """
        import rich.box
        import rich.table
        from rich.cells import cell_len
        from rich.text import Text

        shown = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
        table = rich.table.Table(title=title, box=rich.box.SIMPLE_HEAD, title_justify="left")
        needed = 0
        for place, column in enumerate(columns):
            cells = [row[place] for row in shown]
            if place == 0 or all(NUMBER.fullmatch(cell) for cell in cells):
                widest = max((cell_len(cell) for cell in cells), default=0)
                table.add_column(column, no_wrap=True, overflow="fold", min_width=widest)
                needed += max(widest, cell_len(column)) + PADDING
            else:
                table.add_column(column, overflow="fold")
                needed += LEAST_WIDTH + PADDING
        for row in shown:
            table.add_row(*map(Text, row))
        # Where even that does not fit, the terminal breaks the lines; nothing is cut off.
        self._rich.print(table, width=max(needed, self._rich.width), crop=False)


def visible(text: str) -> str:
    """The text with characters that would move the cursor, colour it or turn it round shown escaped."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def finish(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Write the result of a command to stdout: one JSON document, or `name  value` lines for a person."""
    if as_json:
        sys.stdout.write(json.dumps(result, default=str, allow_nan=False) + "\n")
        return
    width = max((len(name) for name in result), default=0)
    for name, value in result.items():
        shown = json.dumps(value, default=str) if isinstance(value, dict | list) else value
        sys.stdout.write(visible(f"{name:<{width}}  {shown}") + "\n")
