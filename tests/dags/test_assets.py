"""Facts that travel from DAG to DAG."""

import json

import pytest

FACTS = """
from datetime import datetime
from types import SimpleNamespace
from dags.assets import fact

def events(told):
    return [SimpleNamespace(timestamp=datetime.fromisoformat(at), extra=extra) for at, extra in told]

cases = json.loads(sys.argv[1])
tell([fact("as_of", params, {"features": events(told)} if told else None) for params, told in cases])
"""

OLD = ["2026-01-01T00:00:00", {"as_of": "old"}]
NEW = ["2026-01-02T00:00:00", {"as_of": "new"}]
SILENT = ["2026-01-03T00:00:00", {}]


@pytest.fixture(scope="module")
def facts(in_airflow):
    cases = {
        "by hand": [{"as_of": "by hand"}, [NEW]],
        "two events": [{"as_of": None}, [NEW, OLD]],
        "nothing": [{}, []],
        "silent event": [{"as_of": None}, [OLD, SILENT]],
    }
    return dict(zip(cases, in_airflow(FACTS, json.dumps(list(cases.values()))), strict=True))


def test_a_fact_given_by_hand_wins_over_the_event(facts):
    assert facts["by hand"] == "by hand"


def test_of_two_events_the_newest_is_taken(facts):
    assert facts["two events"] == "new"


def test_where_nobody_says_it_there_is_no_fact(facts):
    assert facts["nothing"] is None
    assert facts["silent event"] is None
