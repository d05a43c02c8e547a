"""What the pages say is so: commands, options, files, links, settings, metrics."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from prometheus_client import CollectorRegistry

from pipelines.cli.main import aisle
from pipelines.demo.settings import DemoSettings
from pipelines.settings import Settings
from serving.metrics import Metrics
from serving.settings import ServingSettings

ROOT = Path(__file__).resolve().parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh.md")
PAGES = sorted([*READMES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
NOTEBOOK = sorted((ROOT / "docs" / "experiments").glob("*.md")) + sorted((ROOT / "docs" / "adr").glob("*.md"))
ROOMS = ("pipelines", "serving", "dags", "feature_repo", "infra", "tests", "docs", "requirements")
NOT_SETTINGS = {"AISLE_SERVING_", "AISLE_DEMO_", "AISLE_S3_", "AISLE_"}
"""Beginnings of names, where a page speaks of all settings of one kind."""


def identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shell_lines(text: str) -> Iterator[str]:
    """Commands of the page's shell blocks, continued lines joined, comments left out."""
    for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|(?!-)", re.sub(r"(^|\s)#.*", "", line)):
                if part.strip():
                    yield part.strip()


def inline_commands(text: str) -> Iterator[str]:
    """Commands between backticks."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (code for code in re.findall(r"`([^`\n]+)`", outside) if code.startswith(("aisle ", "make ")))


def command_of(words: list[str]) -> click.Command:
    """The command that the words lead to, with its options checked.

    Raises:
        AssertionError: A verb or an option does not exist.
    """
    command: click.Command = aisle
    context = click.Context(command, info_name="aisle")
    rest = words
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if re.fullmatch(r"[A-Z…<\[].*|…", rest[0]):  # a placeholder such as VERB
            return command
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"no command {rest[0]!r} in {context.command_path!r}"
        command, rest = inner, rest[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= known, f"{context.command_path}: no option {sorted(used - known)}"
    return command


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_aisle_command_exists_with_its_options(page: Path):
    text = page.read_text()
    for line in (*shell_lines(text), *inline_commands(text)):
        words = shlex.split(line.replace("|", " "), posix=True) if line.count('"') % 2 == 0 else line.split()
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] == "aisle":
            command_of([word for word in words[1:] if word not in {"…", "..."}][:6])


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_make_target_exists(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    named = {
        word
        for line in (*shell_lines(text), *inline_commands(text))
        if line.startswith("make ")
        for word in line.split()[1:]
        if re.fullmatch(r"[a-z][a-z-]*", word)
    }
    assert named <= targets


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOK], ids=identity)
def test_every_link_leads_somewhere(page: Path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page's headings, as they are made from their texts."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_file_that_is_named_exists(page: Path):
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./-]+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def settings_names() -> dict[str, str]:
    """Variables of all settings with the class that reads them."""
    return {
        f"{one.model_config['env_prefix']}{name}".upper(): one.__name__
        for one in (Settings, ServingSettings, DemoSettings)
        for name in one.model_fields
    }


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_variable_that_is_named_is_a_setting(page: Path):
    named = set(re.findall(r"\bAISLE_[A-Z0-9_]+", page.read_text())) - NOT_SETTINGS
    secret_files = {f"{name}_FILE" for name in settings_names()}
    assert named - set(settings_names()) - secret_files == set()


def test_every_setting_is_documented_in_both_languages():
    rows = {
        row.split("|")[1].strip(" `"): [cell.strip() for cell in row.split("|")[2:-1]]
        for row in (ROOT / "docs" / "settings.md").read_text().splitlines()
        if row.startswith("| `AISLE_")
    }
    assert set(settings_names()) - set(rows) == set()
    assert set(rows) - set(settings_names()) == set()
    assert [
        name for name, (_, english, chinese) in rows.items() if len(english) < 10 or len(chinese) < 4
    ] == []


def test_every_metric_is_documented_and_no_other():
    page = (ROOT / "docs" / "operations.md").read_text()
    registry: CollectorRegistry = Metrics()._registry
    known = {
        name.removesuffix("_created")
        for family in registry.collect()
        for name in ([f"{family.name}_total"] if family.type == "counter" else [family.name])
    }
    table = set(re.findall(r"^\| `(aisle_[a-z_]+)`", page, re.MULTILINE))
    assert {name for name in known if name not in table} == set()
    assert {name for name in table if name not in known and not name.startswith("aisle_features_")} == set()


def test_both_readmes_give_the_same_commands_and_links():
    english, chinese = (page.read_text() for page in READMES)
    commands = [
        [re.sub(r'"[^"]*"', '"…"', line) for line in shell_lines(text)] for text in (english, chinese)
    ]
    assert commands[0] == commands[1]
    links = [sorted(set(re.findall(r"\]\((docs/[^)\s]+)\)", text))) for text in (english, chinese)]
    assert links[0] == links[1]


VERBS = sorted(aisle.list_commands(click.Context(aisle)))


def test_help_of_the_command_line_starts_in_under_a_second_and_names_every_verb():
    program = (
        "import time, sys; begun = time.process_time()\n"
        "from pipelines.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    print('CODE', end.code)\n"
        "print('SECONDS', time.process_time() - begun)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "CODE 0" in result.stdout
    assert float(result.stdout.rpartition("SECONDS")[2]) < 0.6
    assert all(re.search(rf"^  {verb}\b", result.stdout, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_shown_in_under_a_second(verb: str):
    program = (
        "import time; begun = time.process_time()\n"
        "from pipelines.cli.main import main\n"
        f"try:\n    main([{verb!r}, '--help'])\n"
        "except SystemExit as end:\n    print('CODE', end.code)\n"
        "print('SECONDS', time.process_time() - begun)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "CODE 0" in result.stdout
    assert f"Usage: aisle {verb}" in result.stdout
    assert float(result.stdout.rpartition("SECONDS")[2]) < 0.6
