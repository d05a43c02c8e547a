import json
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import EvaluationError
from pipelines.evaluation.calibration import Outcome
from pipelines.evaluation.evaluation import evaluate
from pipelines.evaluation.ground_truth import GroundTruth
from pipelines.evaluation.item_facts import Catalogue
from pipelines.evaluation.ranking import rank_scores
from pipelines.evaluation.report import best_baseline, report_content, write_report

USERS, N_ITEMS = 40, 60
VERDICT = {
    "passed": False,
    "reasons": ["is calibrated: expected at most 0.02; received <0.5>"],
    "checks": [{"name": "is_calibrated", "passed": False, "expected": "at most 0.02", "received": "<0.5>"}],
}


@pytest.fixture(scope="module")
def evaluation():
    random = np.random.default_rng(5)
    sizes = np.where(np.arange(USERS) % 8 == 0, 0, 3)
    items = np.concatenate([np.sort(random.choice(N_ITEMS, size, replace=False)) for size in sizes])
    truth = GroundTruth(
        np.concatenate(([0], np.cumsum(sizes))),
        items.astype(np.int32),
        pa.array([f"u{n}" for n in range(USERS)]),
        N_ITEMS,
    )
    catalogue = Catalogue(
        np.arange(N_ITEMS, dtype=float) ** 2,
        np.repeat([1, 0], 30).astype(np.int8),
        random.integers(-1, 2, N_ITEMS).astype(np.int32),
        ("Food & Drink", "<Garden>"),
    )
    wishes = np.zeros((USERS, N_ITEMS))
    wishes[truth.rows, truth.items] = 1
    noise = random.random((USERS, N_ITEMS))
    lists = {
        "release": rank_scores(wishes + noise * 1.2, 20),
        "champion": rank_scores(wishes + noise * 1.4, 20),
        "popularity": rank_scores(np.tile(catalogue.popularity, (USERS, 1)), 20),
        "personal_frequency": rank_scores(wishes + noise * 3, 20),
    }
    predicted = random.random(300)
    outcome = Outcome(random.random(300) < predicted, predicted, random.integers(0, USERS, 300))
    return evaluate(
        lists, truth, catalogue, random.integers(0, 90, USERS), outcomes={"release": {"purchase": outcome}}
    )


@pytest.fixture(scope="module")
def page(evaluation, tmp_path_factory):
    facts = {"as_of": "2024-05-01T00:00:00+00:00", "lake_versions": {"events": 3, "items": 1}}
    return write_report(
        evaluation, tmp_path_factory.mktemp("report") / "new" / "folder", facts=facts, verdict=VERDICT
    )


class Tags(HTMLParser):
    VOID = ("meta", "link", "img", "br", "hr", "path", "use", "rect", "circle")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside_and_runs_no_script(page):
    text = page.read_text("utf-8")
    tags = Tags(text)
    assert not {"script", "iframe", "link", "img", "object"} & set(tags.seen)
    assert all(link.startswith("#") for link in tags.links)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_page_is_well_formed_and_has_every_plot(page):
    tags = Tags(page.read_text("utf-8"))
    assert tags.open == []
    # Bars, slices, recall, popularity, and the calibration of one task.
    assert tags.seen.count("svg") == 5


def test_ids_of_the_plots_do_not_clash(page):
    per_plot = [
        set(re.findall(r'clipPath id="([^"]+)"', svg)) for svg in page.read_text("utf-8").split("<svg")
    ]
    every = [name for names in per_plot for name in names]
    assert len(every) == len(set(every))
    assert every


def test_the_page_shows_the_verdict_and_escapes_what_it_is_given(page):
    text = page.read_text("utf-8")
    assert "Refused by the gate" in text
    assert "&lt;0.5&gt;" in text
    assert "<0.5>" not in text
    assert "<Garden>" not in text
    assert "events 3, items 1" in text


def test_the_json_is_strict_and_says_what_was_measured(page, evaluation):
    def refuse(name):
        raise AssertionError(name)

    content = json.loads((page.parent / "report.json").read_text("utf-8"), parse_constant=refuse)
    release = content["models"]["release"]
    assert release["metrics"]["ndcg@10"] == evaluation.intervals["release"]["ndcg@10"].mean
    low, high = release["ci95"]["ndcg@10"]
    assert low < release["metrics"]["ndcg@10"] < high
    assert content["dataset"]["users"] == 35
    assert content["gate"] == VERDICT
    assert content["models"]["release"]["slices"]["item:new"] == {
        "mean": None,
        "ci95": [None, None],
        "users": 0,
    }


def test_the_best_baseline_is_neither_the_release_nor_the_champion(evaluation):
    assert best_baseline(evaluation, "release") == "personal_frequency"


def test_the_same_evaluation_writes_the_same_bytes(evaluation, tmp_path):
    first = write_report(evaluation, tmp_path / "first").read_bytes()
    assert write_report(evaluation, tmp_path / "second").read_bytes() == first


def test_a_report_before_the_gate_shows_no_verdict(evaluation, tmp_path):
    text = write_report(evaluation, tmp_path).read_text("utf-8")
    assert "by the gate" not in text
    assert report_content(evaluation)["gate"] is None


def test_a_lone_model_without_baselines_can_be_reported(evaluation, tmp_path):
    truth = GroundTruth(np.array([0, 1]), np.array([0], np.int32), pa.array(["a"]), 3)
    catalogue = Catalogue(np.zeros(3), np.zeros(3, np.int8), np.full(3, -1, np.int32), ())
    lone = evaluate(
        {"release": rank_scores(np.eye(3)[:1], 3)},
        truth,
        catalogue,
        np.zeros(1, int),
        ks=(3,),
        headline="ndcg@3",
    )
    assert "All figures" in write_report(lone, tmp_path).read_text("utf-8")


def test_an_unknown_release_is_refused(evaluation, tmp_path):
    with pytest.raises(EvaluationError, match="expected a model named 'ours'"):
        write_report(evaluation, tmp_path, release="ours")
