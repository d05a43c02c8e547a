import json
import subprocess
import sys

import pytest

from pipelines.cli.main import VERBS, main


def exit_code_of(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code, capsys.readouterr()


def test_help_lists_every_verb_with_its_summary(capsys):
    code, captured = exit_code_of(["--help"], capsys)
    assert code == 0
    for verb, (_, _, summary) in VERBS.items():
        assert verb in captured.out
        assert summary in captured.out


def test_an_unknown_verb_is_wrong_usage_and_says_so(capsys):
    code, captured = exit_code_of(["sell"], capsys)
    assert code == 2
    assert "No such command 'sell'" in captured.err


def test_the_module_runs_as_the_command_does():
    ran = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "sell"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "No such command 'sell'" in ran.stderr


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "serve"])
def test_an_unknown_option_is_wrong_usage_for_every_verb(verb, capsys):
    code, captured = exit_code_of([verb, "--nonsense"], capsys)
    assert code == 2
    assert "--nonsense" in captured.err


def test_an_error_is_one_json_document_where_json_was_asked_for(capsys):
    code, captured = exit_code_of(["doctor", "--json", "--nonsense"], capsys)
    document = json.loads(captured.out)
    assert code == 2
    assert document["ok"] is False
    assert "--nonsense" in document["error"]


def test_a_group_without_a_command_shows_once_how_it_is_used(capsys):
    code, captured = exit_code_of(["features", "key"], capsys)
    assert code == 2
    assert captured.err.startswith("aisle: expected a command, received none\n")
    assert captured.err.count("Usage:") == 1


@pytest.mark.parametrize(("asked", "shown"), [((), False), (("-W", "default"), True)])
def test_deprecations_of_libraries_are_shown_only_when_asked_for(asked, shown):
    program = (
        "import sys, warnings\n"
        "from pipelines.cli.main import main\n"
        "sys.argv = ['aisle', '--version']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "warnings.simplefilter('always')\n"
        "warnings.warn('meant for developers', DeprecationWarning)\n"
        "warnings.warn('meant for people', RuntimeWarning)\n"
    )
    ended = subprocess.run(
        [sys.executable, *asked, "-c", program], capture_output=True, text=True, check=True
    )
    assert "meant for people" in ended.stderr
    assert ("meant for developers" in ended.stderr) is shown
