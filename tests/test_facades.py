"""Every folder says what it owns, and others use it through its façade."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOTS = ("pipelines", "serving")
MOST_MODULES = 22


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for root in ROOTS for path in sorted((ROOT / root).rglob("*.py"))}
PACKAGES = sorted(name for name, path in FILES.items() if path.name == "__init__.py")
STUBBED = [name for name in PACKAGES if FILES[name].with_suffix(".pyi").exists()]


def deep_imports() -> Iterator[str]:
    """Imports that reach past a façade, as `importer: module.name`."""
    for importer, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module not in FILES or node.module in PACKAGES:
                continue
            folder, _, module = node.module.rpartition(".")
            if folder in ROOTS or f"{importer}.".startswith(f"{folder}."):
                continue
            # A function with its module's name is imported from the module: a folder cannot export both.
            yield from (f"{importer}: {node.module}.{one.name}" for one in node.names if one.name != module)


def test_there_are_folders_to_look_at():
    assert {"pipelines.features", "serving.engine"} <= set(STUBBED)


def test_other_folders_are_used_through_their_facade():
    allowed = ("pipelines.cli.", "pipelines.tracking")
    assert [one for one in deep_imports() if not one.startswith(allowed)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_says_what_it_owns_and_is_small_enough_to_read(package: str):
    docstring = ast.get_docstring(ast.parse(FILES[package].read_text())) or ""
    modules = [one for one in FILES[package].parent.glob("*.py") if one.name != "__init__.py"]
    assert len(docstring) > 20
    assert "TODO" not in docstring
    assert len(modules) <= MOST_MODULES
