"""Airflow, for the tests of this folder."""

from tests.airflow_runs import in_airflow

__all__ = ["in_airflow"]
