import pytest

from serving.search.price_limits import PricedText, price_limits


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("nike shoes under 50", PricedText("nike shoes", None, 50.0)),
        ("coffee under $5", PricedText("coffee", None, 5.0)),
        ("shoes between 10 and 20 euros", PricedText("shoes", 10.0, 20.0)),
        ("$20-$10 mouse", PricedText("mouse", 10.0, 20.0)),
        ("tv over $500", PricedText("tv", 500.0, None)),
        ("<5 €", PricedText("", None, 5.0)),
        ("耳机 100元以下", PricedText("耳机", None, 100.0)),
        ("手机 1000-2000元", PricedText("手机", 1000.0, 2000.0)),
    ],
)
def test_limits_are_taken_out_of_the_words(typed: str, read: PricedText):
    assert price_limits(typed) == read


@pytest.mark.parametrize(
    "typed",
    ["vitamins over 50", "dumbbell under 5 kg", "cable up to 5m", "usb 2 to 3", "laptop less than 1,000"],
)
def test_numbers_that_are_no_prices_stay_words(typed: str):
    assert price_limits(typed) == PricedText(typed)
