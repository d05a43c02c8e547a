"""A session of Spark for features: in this process, on a cluster, or behind a Spark Connect server."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import FeatureError
from pipelines.settings import Settings

EQUAL_ANSWERS = {
    "spark.sql.session.timeZone": "UTC",  # or days would be those of some machine's zone
    "spark.sql.ansi.enabled": "true",  # what overflows is an error, as it is on DuckDB
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What any session is told, so that it answers what DuckDB answers."""

ONE_MACHINE = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""What a session on this machine alone is told as well: no other machine needs to reach it."""


@contextmanager
def spark_session(settings: Settings) -> Iterator[tuple[Any, Path]]:
    """Open a session and a scratch folder, both gone when the block ends; a session that was there stays.

    Raises:
        FeatureError: Spark or Java is missing, or the cluster cannot be reached.
    """
    _demand_spark(settings.spark_master)
    with tempfile.TemporaryDirectory(prefix="aisle-spark-", dir=_scratch_of(settings)) as scratch:
        from pyspark.sql import SparkSession

        found = None if _is_connect(settings.spark_master) else SparkSession.getActiveSession()
        with spark_errors():
            session = found or _started(settings, scratch)
            for name, value in _options(settings).items():
                session.conf.set(name, value)
        try:
            yield session, Path(scratch)
        finally:
            if found is None:
                session.stop()


@contextmanager
def spark_errors() -> Iterator[None]:
    """Tell what Spark raises as an error of features.

    Raises:
        FeatureError: Spark refused or failed.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise FeatureError(f"Spark could not compute features: {error}") from error


def _started(settings: Settings, scratch: str) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("aisle features")
    if _is_connect(settings.spark_master):
        return builder.remote(settings.spark_master).getOrCreate()
    options = {"spark.driver.memory": settings.spark_memory}
    if _is_local(settings.spark_master):
        options |= {**ONE_MACHINE, "spark.local.dir": scratch, "spark.sql.warehouse.dir": f"{scratch}/tables"}
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.master(settings.spark_master).getOrCreate()


def _options(settings: Settings) -> dict[str, str]:
    if settings.spark_partitions is None:
        return EQUAL_ANSWERS
    return {**EQUAL_ANSWERS, "spark.sql.shuffle.partitions": str(settings.spark_partitions)}


def _scratch_of(settings: Settings) -> Path | None:
    if settings.spark_scratch is not None:
        settings.spark_scratch.mkdir(parents=True, exist_ok=True)
        return settings.spark_scratch.absolute()
    if _is_local(settings.spark_master):
        return None
    raise FeatureError(
        f"AISLE_SPARK_MASTER is {settings.spark_master}, on other machines: expected AISLE_SPARK_SCRATCH to "
        "name a folder that its workers and this machine share, received none"
    )


def _demand_spark(master: str) -> None:
    if importlib.util.find_spec("pyspark") is None:
        raise FeatureError("AISLE_ENGINE=spark needs PySpark, found none: pip install 'aisle[spark]'")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None and not _is_connect(master):
        raise FeatureError(
            f"AISLE_SPARK_MASTER={master} needs Java 17 or 21 on this machine, found none: install it "
            "(Debian: openjdk-17-jre-headless), set JAVA_HOME, or name a Spark Connect server (sc://host:15002)"
        )


def _is_local(master: str) -> bool:
    return master.startswith("local")


def _is_connect(master: str) -> bool:
    return master.startswith("sc://")
