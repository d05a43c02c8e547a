"""The shoppers that the demo shows."""

import pytest

from pipelines.demo.shoppers import choose_shoppers, read_shoppers, write_shoppers
from pipelines.errors import DemoError
from pipelines.ingest.run import ingest
from pipelines.lake import open_lake
from pipelines.settings import Settings
from tests import tiny_shop as shop


@pytest.fixture(scope="module")
def lake(tiny_shop, tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    ingest(tiny_shop, settings)
    return open_lake(settings)


def test_shoppers_are_different_people_with_recent_events_the_busiest_first(lake):
    chosen = choose_shoppers(lake, shop.ENDS_AT)
    ids = [one["user_id"] for one in chosen]
    assert len(ids) == len(set(ids)) >= 9
    assert shop.SILENT_USERS.isdisjoint(ids)
    heavy, middling, light = (int(one["note"].split(" ")[0]) for one in chosen[:3])
    assert heavy > middling > light > 0


def test_nobody_recent_is_an_error_that_says_so(lake):
    with pytest.raises(DemoError, match="no user has an event in the 28 days before 2031-01-01"):
        choose_shoppers(lake, shop.ENDS_AT.replace(year=2031, month=1))


def test_the_storefront_reads_what_was_chosen(tmp_path):
    shoppers = [{"user_id": "900", "name": "Shopper 900", "note": "aged 45-54"}]
    write_shoppers(shoppers, tmp_path)
    assert read_shoppers(tmp_path) == shoppers
