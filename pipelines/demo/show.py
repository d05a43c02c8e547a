"""What a person sees at the end of the demo: three shoppers' lists, and where to look around."""

from infra.local.airflow import USER
from pipelines.demo.local_stack import Platform
from pipelines.demo.shopfront import Shopfront
from pipelines.demo.shoppers import read_shoppers
from pipelines.runtime import Console

SHOWN_SHOPPERS = 3


def lists(running: Platform, console: Console) -> None:
    """Show the home lists of three shoppers, with names, prices and reasons."""
    shopfront = Shopfront(running.addresses.storefront)
    for shopper in read_shoppers(running.home)[:SHOWN_SHOPPERS]:
        items = shopfront.home_list(shopper["user_id"])
        console.table(
            ["#", "Product", "Price", "Why"],
            [(item["rank"], item["title"], _price(item["price"]), item["reason"]) for item in items],
            title=f"{shopper['name']} ({shopper['note']})",
        )


def addresses(running: Platform, console: Console) -> None:
    """Show the addresses of everything that can be looked at."""
    where = running.addresses
    console.table(
        ["Look at", "Address", ""],
        [
            ("Storefront", f"{where.storefront}/", "search, act, and see the lists change"),
            ("Airflow", f"{running.airflow.url}/", f"user {USER}, password {running.airflow.password}"),
            ("MLflow", f"{where.mlflow}/", "move alias champion to approve a release"),
            ("Feast", f"{where.feast}/", "feature views, services and their owners"),
        ],
    )


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:.2f}"
