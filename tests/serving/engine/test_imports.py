import subprocess
import sys

import pytest

CORE = (
    "serving.bundle",
    "serving.engine.user_batch",
    "serving.engine.candidates.retrieve",
    "serving.engine.filtering",
    "serving.engine.ranking",
    "serving.engine.reranking",
    "serving.engine.recommender",
    "serving.explanations.reasons",
    "serving.search.index",
    "serving.search.engine",
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
    assert foreign not in loaded_by(
        "import serving.bundle, serving.engine.user_batch, serving.engine.candidates.retrieve"
    )
