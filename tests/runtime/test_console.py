"""What a person sees: texts as they are, numbers whole, progress in a log."""

import time

import pytest

from pipelines.runtime import Console, console, finish
from pipelines.runtime.console import visible


def test_a_text_is_no_markup(capsys):
    Console().info("Milk [organic] and Cable [/dev/null]")
    Console().done("Cable [/dev/null]", "[bold]", 1.0)
    with Console().step("Milk [organic]"):
        pass
    Console().table(["item", "title"], [["1", "Cable [/dev/null]"]])
    shown = capsys.readouterr().err
    assert shown.count("[/dev/null]") == 3
    assert "Milk [organic] and" in shown
    assert "[bold]  1.0 s" in shown


def test_escape_sequences_are_shown_and_not_obeyed(capsys):
    assert visible("a\x1b[2Jb\u202ec\td\ne") == "a\\x1b[2Jb\\u202ec\td\ne"
    Console().info("\x1b]0;title\x07")
    Console().table(["title"], [["\x1b[31mred"]])
    finish({"title": "\x1b[31mred", "titles": ["\x1b[31mred"]}, as_json=False)
    shown = capsys.readouterr()
    assert "\x1b" not in shown.err + shown.out
    assert "\\x1b[31mred" in shown.err
    assert "\\x1b[31mred" in shown.out


@pytest.mark.parametrize("width", [80, 60, 40])
def test_numbers_and_names_are_whole_on_a_narrow_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [
        ["user_activity:purchases_30d", "a sentence that is long and may be folded " * 3, "1,469,307", 12.5]
    ]
    Console().table(["feature", "meaning", "rows", "share"], rows)
    shown = capsys.readouterr().err
    assert "user_activity:purchases_30d" in shown
    assert "1,469,307" in shown
    assert "12.5" in shown


def test_without_a_terminal_a_line_now_and_then_says_what_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(console, "PROGRESS_S", 0.05)
    with Console().status("reading [a]") as change:
        time.sleep(0.12)
        change("writing")
        time.sleep(0.12)
    shown = capsys.readouterr().err
    assert "… reading [a]  0 s" in shown
    assert "… writing  0 s" in shown


def test_a_quiet_console_says_nothing(capsys):
    quiet = Console(quiet=True)
    quiet.info("a")
    with quiet.status("b"), quiet.step("c"):
        pass
    assert capsys.readouterr().err == ""
