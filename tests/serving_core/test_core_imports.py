import subprocess
import sys

import pytest

CORE = (
    "serving.bundle",
    "serving.users",
    "serving.retrieval",
    "serving.filtering",
    "serving.ranking",
    "serving.reranking",
    "serving.recommender",
    "serving.reasons",
    "serving.text_index",
    "serving.search",
)
FOREIGN = (
    "fastapi",
    "starlette",
    "pydantic",
    "mlflow",
    "feast",
    "tensorflow",
    "tf_keras",
    "airflow",
    "pandas",
    "duckdb",
    "ibis",
    "deltalake",
    "pipelines",
    "dags",
)


def loaded_by(imports: str) -> set[str]:
    """Top-level modules in a fresh interpreter after those imports."""
    program = f"{imports}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_core_loads_nothing_of_the_web_training_or_tables():
    loaded = loaded_by("import " + ", ".join(CORE))
    assert {"numpy", "pyarrow", "tantivy", "ai_edge_litert", "serving"} <= loaded
    assert not loaded & set(FOREIGN)


@pytest.mark.parametrize("foreign", ["ai_edge_litert", "tantivy"])
def test_the_bundle_alone_needs_neither_graphs_nor_search(foreign: str):
    assert foreign not in loaded_by("import serving.bundle, serving.users, serving.retrieval")
