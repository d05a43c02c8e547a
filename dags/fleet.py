"""What every task of ours has: an owner, and patience with a passing fault."""

from datetime import UTC, datetime, timedelta
from typing import Any

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""No scheduled interval lies before this day."""

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "aisle",
    "retries": 1,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=30),
}
