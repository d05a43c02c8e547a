"""What every task of ours has: an owner, and patience with a passing fault."""

from datetime import UTC, datetime, timedelta
from typing import Any

START_DATE = datetime(2010, 1, 1, tzinfo=UTC)
"""A backfill may ask for any day from this one on; days gone by are not caught up by themselves."""

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "aisle",
    "retries": 1,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=30),
}
