"""The storefront as a shopper meets it, in real Chromium."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from serving.events.log import read_events
from serving.storefront import pages
from tests import tiny_shop
from tests.serving.model_registry import ModelRegistry
from tests.serving.serving_process import ServingProcess

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CARD = ".card:not(.ghost)"
SHOPPERS = [
    {"user_id": "front-1", "name": "Ada Blue", "note": "two children"},
    {"user_id": "front-2", "name": "Ben Green", "note": "lives alone"},
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, shop: ServingProcess) -> Iterator[Page]:
    """A page of a browser that has never been here; errors in it, and calls elsewhere, fail the test."""
    (shop.home / "serving" / "shoppers.json").write_text(json.dumps(SHOPPERS))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on(
        "request", lambda request: errors.append(request.url) if not_ours(request.url, shop.url) else None
    )
    page.goto(shop.url)
    expect(page.locator(CARD).first).to_be_visible()
    yield page
    context.close()
    assert errors == []


def not_ours(url: str, ours: str) -> bool:
    return not url.startswith((ours, "data:"))


def shown(page: Page) -> list[str]:
    """Items of the home list, in order."""
    return page.locator(".home .grid " + CARD).evaluate_all("cards => cards.map(card => card.dataset.itemId)")


def test_the_home_list_has_names_prices_and_reasons(page: Page) -> None:
    card = page.locator(CARD).first
    expect(card.locator("h3")).to_have_text(re.compile(r"\w+ \w+ \d+"))
    expect(card.locator(".price")).to_have_text(re.compile(r"^\$\d+\.\d\d$"))
    expect(card.locator(".reason")).not_to_be_empty()
    expect(page.locator("#release")).to_contain_text("Release 1 · 80 products")
    expect(page.locator("#departments a")).to_have_text(["Grocery", "Drinks", "Household", "Garden"])


def test_the_list_changes_after_the_shopper_acts(page: Page, shop: ServingProcess) -> None:
    before = shown(page)
    first = page.locator(CARD).first
    title = first.locator("h3").inner_text()
    first.get_by_role("button", name=f"Add {title} to the cart").click()
    expect(page.locator("#cart-count")).to_have_text("1")
    expect(page.locator(".badge").first).to_be_visible()
    assert shown(page) != before
    expect(page.locator(".hello h1")).to_have_text("Your shop today")
    expect(page.locator(".reason", has_text=title).first).to_be_visible()
    (event,) = [
        event
        for event in read_events(shop.home / "events")
        if event["user_id"] == "front-1" and event["event_type"] == "cart" and event["item_id"] == before[0]
    ][-1:]
    assert (event["surface"], event["position"], event["source"]) == ("home", 1, "storefront")
    assert event["request_id"]


def test_a_product_page_shows_similar_items_and_the_cart_its_complements(page: Page) -> None:
    page.goto(page.url.split("#")[0] + "#/item/i10")
    expect(page.locator("h1")).to_have_text(tiny_shop.items()["title"][10].as_py())
    shelves = page.locator(".section")
    expect(shelves.nth(0).locator("h2")).to_have_text("Often bought together")
    expect(shelves.nth(0).locator(CARD).first).to_have_attribute("data-item-id", "i11")
    expect(shelves.nth(1).locator("h2")).to_have_text("Similar products")
    expect(shelves.nth(1).locator(CARD).first).to_be_visible()
    page.get_by_role("button", name="Add to cart", exact=True).click()
    cart = page.get_by_role("dialog", name="Your cart")
    expect(cart.locator(".complements .line").first).to_have_attribute("data-item-id", "i11")
    cart.get_by_role("button", name="One Fresh Apple 10 more").click()
    expect(cart.locator(".pay b")).to_have_text("$8.00")
    cart.get_by_role("button", name="Buy now").click()
    expect(page.locator(".toast")).to_contain_text("Thank you")
    expect(page.locator("#cart-count")).to_be_hidden()


def test_search_suggests_forgives_and_narrows_down(page: Page) -> None:
    page.get_by_role("combobox", name="Search the shop").press_sequentially("cofee")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("coffee")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator(".results h1")).to_have_text("“coffee”")
    expect(page.locator(".results .hello p")).to_have_text("8 products, ranked for you")
    page.locator(".facets").get_by_role("link", name="Garden").click()
    expect(page.locator(".results .hello p")).to_have_text("2 products, ranked for you")
    page.get_by_label("Remove filter Garden").click()
    expect(page.locator(".results .hello p")).to_have_text("8 products, ranked for you")
    page.fill("#query", "zzzzqqqq")
    page.keyboard.press("Enter")
    expect(page.locator(".results h1")).to_have_text("“zzzzqqqq”")
    expect(page.locator(".message, .notice").first).to_be_visible()


def test_another_shopper_sees_another_shop(page: Page, shop: ServingProcess) -> None:
    shop.tell({"event_type": "purchase", "user_id": "front-2", "item_id": "i62", "quantity": 1})
    before = shown(page)
    page.locator("#who").click()
    dialog = page.get_by_role("dialog", name="Who is shopping?")
    expect(dialog.get_by_role("button", name="Ada Blue")).to_have_attribute("aria-pressed", "true")
    dialog.get_by_role("button", name="Ben Green").click()
    expect(page.locator("#who-name")).to_have_text("Ben Green")
    expect(page.locator(".reason", has_text=tiny_shop.items()["title"][62].as_py()).first).to_be_visible()
    assert shown(page) != before
    page.reload()
    expect(page.locator("#who-name")).to_have_text("Ben Green")


def test_what_a_catalogue_says_is_shown_and_never_run(page: Page) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    page.fill("#query", hostile)
    page.keyboard.press("Enter")
    expect(page.locator(".results h1")).to_have_text(f"“{hostile}”")
    assert page.title() != "1"
    assert page.locator("main img, main script").count() == 0


def test_a_product_that_is_gone_leads_back_to_the_shop(browser: Browser, shop: ServingProcess) -> None:
    page = browser.new_page()
    page.goto(f"{shop.url}/#/item/no-such-item")
    expect(page.locator(".notice h2")).to_have_text("This product is not here")
    page.get_by_role("link", name="To the shop", exact=True).click()
    expect(page.locator(CARD).first).to_be_visible()
    page.close()


def order(browser: Browser, shop: ServingProcess) -> Page:
    """A page of its own, with one product in the cart; what the browser says of failed calls is no fault."""
    page = browser.new_context().new_page()
    page.set_default_timeout(20_000)
    page.goto(shop.url + "#/item/i10")
    page.get_by_role("button", name="Add to cart", exact=True).click()
    expect(page.get_by_role("dialog", name="Your cart").locator(".lines .line").first).to_be_visible()
    return page


def waiting(page: Page) -> list[dict[str, object]]:
    return json.loads(page.evaluate("localStorage.getItem('aisle.outbox')") or "[]")


def wait_until_sent(page: Page) -> None:
    for _ in range(100):
        if not waiting(page):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"expected an empty outbox within ten seconds, received {waiting(page)}")


def bought(shop: ServingProcess, event_ids: set[object]) -> list[object]:
    kept = [event["event_id"] for event in read_events(shop.home / "events")]
    return [event_id for event_id in kept if event_id in event_ids]


def test_an_order_that_cannot_be_sent_is_kept_and_sent_once_the_shop_is_back(
    browser: Browser, shop: ServingProcess
) -> None:
    page = order(browser, shop)
    page.route("**/v1/events", lambda route: route.abort())
    page.get_by_role("button", name="Buy now").click()
    expect(page.locator(".toast")).to_contain_text("not sent yet")
    orders = {event["event_id"] for event in waiting(page) if event["event_type"] == "purchase"}
    assert len(orders) == 1
    page.reload()  # whoever comes back later finds it still waiting
    assert orders <= {event["event_id"] for event in waiting(page)}
    assert bought(shop, orders) == []
    page.unroute("**/v1/events")
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until_sent(page)
    assert bought(shop, orders) == list(orders)
    page.context.close()


def test_an_answer_that_was_lost_does_not_buy_twice(browser: Browser, shop: ServingProcess) -> None:
    page = order(browser, shop)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/v1/events", lose)
    page.get_by_role("button", name="Buy now").click()
    expect(page.locator(".toast")).to_contain_text("not sent yet")
    orders = {event["event_id"] for event in waiting(page) if event["event_type"] == "purchase"}
    page.unroute("**/v1/events")
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until_sent(page)
    assert bought(shop, orders) == list(orders)
    page.context.close()


def test_an_order_that_the_shop_refuses_is_back_in_the_cart(browser: Browser, shop: ServingProcess) -> None:
    page = order(browser, shop)

    def refuse(route: Route) -> None:
        (event,) = route.request.post_data_json["events"]
        verdict = {
            "index": 0,
            "status": "rejected",
            "event_id": event["event_id"],
            "reasons": ["no such item"],
        }
        route.fulfill(status=422, json={"accepted": 0, "duplicates": 0, "rejected": 1, "events": [verdict]})

    page.route("**/v1/events", refuse)
    page.get_by_role("button", name="Buy now").click()
    expect(page.locator(".toast")).to_contain_text("back in your cart")
    expect(page.locator("#cart-count")).to_have_text("1")
    assert waiting(page) == []
    page.context.close()


def test_a_phone_shows_it_without_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    for place in ("#/", "#/item/i10", "#/search?q=tea", "#/category?path=Garden"):
        page.goto(page.url.split("#")[0] + place)
        expect(page.locator("main " + CARD).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, place


def test_everything_that_can_be_used_has_a_name(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input')]
          .filter(one => !(one.getAttribute('aria-label') || one.labels?.length || one.textContent.trim()))
          .map(one => one.outerHTML)"""
    )
    assert nameless == []


def test_a_shop_without_a_release_says_so_and_opens_by_itself(
    browser: Browser, registry: ModelRegistry
) -> None:
    registry.register()
    with ServingProcess(registry.home) as process:
        page = browser.new_page()
        page.goto(process.url)
        expect(page.locator(".notice h2")).to_have_text("The shelves are being filled", timeout=20_000)
        registry.promote("1")
        expect(page.locator(CARD).first).to_be_visible(timeout=60_000)
        page.close()


def test_the_page_may_load_nothing_from_elsewhere(shop: ServingProcess) -> None:
    answer = shop.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    for name in re.findall(r'"(/storefront/[^"]+)"', answer.text):
        asset = shop.client.get(name)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["cache-control"]
    assert set(pages.KINDS) == {"css", "js", "svg"}
