"""The API as callers meet it: a real process over a real connection."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.api import responses
from serving.api.requests import EventIn, FiltersIn, RecommendationsIn, SearchIn
from tests import tiny_shop
from tests.serving.serving_process import ServingProcess, ids_of


def bought(user_id: str, item_id: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "purchase", "user_id": user_id, "item_id": item_id, "quantity": 1, **more}


def viewed(user_id: str, item_id: str) -> dict[str, Any]:
    return {"event_type": "view", "user_id": user_id, "item_id": item_id}


def test_a_stranger_gets_what_is_popular_with_names_prices_and_reasons(shop: ServingProcess) -> None:
    answer = shop.list_for("nobody-ever-met", k=5)
    responses.RecommendationsOut.model_validate(answer)
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert {item["source"] for item in answer["items"]} == {"popularity"}
    assert all(item["title"] and item["price"] and item["reason"] for item in answer["items"])
    assert shop.post("/v1/recommendations", {}).status_code == 200


def test_the_next_list_knows_of_an_event_at_once(shop: ServingProcess) -> None:
    assert "i41" not in ids_of(shop.list_for("quick", k=3))
    shop.tell(bought("quick", "i40"))
    item = next(item for item in shop.list_for("quick", k=5)["items"] if item["item_id"] == "i41")
    assert item["reason_code"] in {"because_bought", "bought_with"}
    assert tiny_shop.items()["title"][40].as_py() in item["reason"]


def test_a_product_page_has_similar_items_and_what_is_bought_together(shop: ServingProcess) -> None:
    together = shop.list_for("pages", surface="item", item_id="i10", relation="bought_together", k=3)
    assert ids_of(together)[0] == "i11"
    similar = shop.list_for("pages", surface="item", item_id="i10", relation="similar", k=4)
    assert "i10" not in ids_of(similar)
    assert len(set(ids_of(similar)) & {"i11", "i12", "i13", "i14"}) >= 2


def test_a_cart_gets_complements_and_never_what_is_in_it(shop: ServingProcess) -> None:
    answer = shop.list_for("carts", surface="cart", cart=["i10", "i30"], k=6)
    assert {"i11", "i31"} <= set(ids_of(answer)[:4])
    assert not {"i10", "i30"} & set(ids_of(answer))


def test_a_category_holds_its_own_items_only(shop: ServingProcess) -> None:
    answer = shop.list_for("aisles", surface="category", category="Drinks > Drinks 1", k=10)
    assert {item["category"].split(" > ")[1] for item in answer["items"]} == {"Drinks 1"}


def test_filters_hold_for_every_item(shop: ServingProcess) -> None:
    answer = shop.list_for("choosy", k=50, filters={"min_price": 5, "max_price": 9, "brands": ["Brand 1"]})
    assert answer["items"]
    assert all(5 <= item["price"] <= 9 and item["brand"] == "Brand 1" for item in answer["items"])
    # Items 24, 49 and 74 are not available.
    listed = set(ids_of(shop.list_for("choosy", k=100)))
    assert not {"i24", "i49", "i74"} & listed
    first = ids_of(shop.list_for("choosy", k=3))
    assert not set(first) & set(ids_of(shop.list_for("choosy", k=3, filters={"exclude_ids": first})))


def test_unknown_items_and_categories_get_a_sensible_list(shop: ServingProcess) -> None:
    assert shop.list_for("lost", surface="item", item_id="no-such-item")["items"]
    assert shop.list_for("lost", surface="cart", cart=["no-such-item"])["items"]
    assert shop.list_for("lost", surface="category", category="Submarines")["items"]


def test_search_finds_forgives_browses_and_tells_when_there_is_nothing(shop: ServingProcess) -> None:
    def search(words: str, **more: Any) -> dict[str, Any]:
        answer = shop.post("/v1/search", {"search_query": words, **more})
        assert answer.status_code == 200, answer.text
        responses.SearchOut.model_validate(answer.json())
        return answer.json()

    assert all("Coffee" in item["title"] for item in search("coffee")["items"])
    misspelt = search("cofee")
    assert (misspelt["match"], misspelt["did_you_mean"]) == ("fuzzy", "coffee")
    assert search("")["match"] == "browse"
    nothing = search("zzzzqqqq")
    assert nothing["match"] == "nothing"
    assert nothing["message"]
    facets = search("coffee")["facets"]
    assert sum(facet["count"] for facet in facets["brand"]) == search("coffee")["total"] == 8
    drinks = search("coffee", filters={"category": "Drinks"})
    assert {item["category"].split(" > ")[0] for item in drinks["items"]} == {"Drinks"}


def test_results_are_ranked_for_the_person(shop: ServingProcess) -> None:
    words = {"search_query": "bread", "k": 8}
    before = ids_of(shop.post("/v1/search", words).json())
    shop.tell(*[bought("baker", before[-1])] * 3)
    after = ids_of(shop.post("/v1/search", {**words, "user_id": "baker"}).json())
    assert after.index(before[-1]) < before.index(before[-1])


def test_an_item_is_shown_and_an_unknown_one_is_a_clear_404(shop: ServingProcess) -> None:
    answer = shop.client.get("/v1/items/i07")
    responses.ItemOut.model_validate(answer.json())
    assert answer.json()["item"]["title"] == "Small Rose 7"
    missing = shop.client.get("/v1/items/nothing")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert "received 'nothing'" in missing.json()["detail"]


@pytest.mark.parametrize("item_id", ["a/b", "50% off?", "x#y&z=1", "/lead", "trail/", "ä/ö", "1" * 256])
def test_an_id_of_any_signs_has_its_page(shop: ServingProcess, item_id: str) -> None:
    missing = shop.client.get(f"/v1/items/{quote(item_id, safe='')}")
    assert missing.status_code == 404
    assert f"received {item_id!r}" in missing.json()["detail"]
    assert missing.json()["type"] == "urn:aisle:problem:unknown-item"


def test_categories_and_shoppers_fill_the_storefront(shop: ServingProcess) -> None:
    answer = shop.client.get("/v1/categories").json()
    responses.CategoriesOut.model_validate(answer)
    assert {one["name"]: one["items"] for one in answer["categories"]} == {
        "Grocery": 20,
        "Drinks": 19,
        "Household": 19,
        "Garden": 19,
    }
    shop.tell(viewed("lately", "i01"))
    (shop.home / "serving" / "shoppers.json").write_text(
        json.dumps([{"user_id": "u07", "name": "Shopper 7", "note": "two children"}])
    )
    shoppers = shop.client.get("/v1/shoppers").json()
    responses.ShoppersOut.model_validate(shoppers)
    assert shoppers["shoppers"][0] == {"user_id": "u07", "name": "Shopper 7", "note": "two children"}
    assert "lately" in {shopper["user_id"] for shopper in shoppers["shoppers"]}


def test_every_answer_carries_its_request_id_and_what_was_missing(shop: ServingProcess) -> None:
    answer = shop.post("/v1/recommendations", {"user_id": "u1"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    # The tiny shop's release has no graphs, and there is no feature store.
    assert set(answer.json()["degraded"]) == {"user_features", "query_encoder", "ranker"}
    release = shop.release()
    responses.ReleaseOut.model_validate(release)
    assert release["degraded"] == ["query_encoder", "ranker", "user_features"]
    ready = shop.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert shop.client.get("/healthz").json()["status"] == "alive"


def test_reasons_are_written_in_the_language_asked_for(shop: ServingProcess) -> None:
    answer = shop.list_for("reader", k=1, language="zh-CN")
    assert answer["items"][0]["reason"] == "受顾客欢迎"
    assert shop.list_for("reader", k=1, language="xx")["items"][0]["reason"] == "Popular with shoppers"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "/v1/recommendations",
            {"surface": "campaign"},
            "surface: Input should be 'home', 'item', 'cart' or 'category'",
        ),
        ("/v1/recommendations", {"surface": "item"}, "surface 'item' needs item_id"),
        ("/v1/recommendations", {"surface": "cart"}, "surface 'cart' needs cart"),
        ("/v1/recommendations", {"surface": "category"}, "surface 'category' needs category"),
        ("/v1/recommendations", {"k": 0}, "k: Input should be greater than or equal to 1, received 0"),
        ("/v1/recommendations", {"k": 10**9}, "k: Input should be less than or equal to 100"),
        ("/v1/recommendations", {"k": "5"}, "k: Input should be a valid integer, received '5'"),
        ("/v1/recommendations", {"kk": 5}, "kk: Extra inputs are not permitted"),
        (
            "/v1/recommendations",
            {"filters": {"min_price": 2, "max_price": 1}},
            "filters: min_price 2.0 is above max_price 1.0; swap them",
        ),
        ("/v1/recommendations", [], "body: Input should be a valid dictionary"),
        (
            "/v1/search",
            {"search_query": "x" * 257},
            "search_query: String should have at most 256 characters",
        ),
        ("/v1/search", {"offset": -1}, "offset: Input should be greater than or equal to 0, received -1"),
        ("/v1/events", {"events": []}, "events: List should have at least 1 item"),
        ("/v1/events", {"events": [{}] * 1001}, "events: List should have at most 1000 items"),
    ],
)
def test_a_wrong_request_is_told_what_was_expected(
    shop: ServingProcess, path: str, body: Any, said: str
) -> None:
    answer = shop.post(path, body)
    assert answer.status_code == 422
    replies_problem = answer.json()
    assert replies_problem["detail"].startswith(said)
    assert replies_problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"k": NaN}', "application/json", 422),
        (b'{"user_id": "\\ud800"}', "application/json", 422),
        (b'{"k": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"user_id=1", "application/x-www-form-urlencoded", 415),
        (b'{"user_id": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    ],
)
def test_a_hostile_body_is_refused_and_never_a_server_error(
    shop: ServingProcess, content: bytes, kind: str, status: int
) -> None:
    answer = shop.client.post("/v1/recommendations", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_a_body_without_a_length_is_limited_too(shop: ServingProcess) -> None:
    def endless():
        for _ in range(40):
            yield b" " * 65_536

    answer = shop.client.post(
        "/v1/recommendations", content=endless(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *RecommendationsIn.model_fields,
        *SearchIn.model_fields,
        *FiltersIn.model_fields,
        *EventIn.model_fields,
        "events",
    ]
)
BODIES = st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=4), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["recommendations", "search", "events"]), body=BODIES)
def test_no_body_whatever_is_a_server_error(shop: ServingProcess, path: str, body: dict[str, Any]) -> None:
    answer = shop.client.post(
        f"/v1/{path}", content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code in {200, 400, 422}, (body, answer.text)


def test_paths_and_methods_that_do_not_exist_say_so(shop: ServingProcess) -> None:
    assert shop.client.get("/v2/anything").json()["title"] == "Not Found"
    answer = shop.client.get("/v1/recommendations")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert shop.client.get("/storefront/x/../../app.py").status_code == 404
    assert shop.client.get("/storefront/x/pages.py").status_code == 404


def test_a_name_that_points_here_is_not_answered_unless_it_is_ours(shop: ServingProcess) -> None:
    answer = shop.client.get("/v1/release", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "AISLE_SERVING_ALLOWED_HOSTS" in answer.json()["detail"]


def test_the_openapi_document_describes_what_is_answered(shop: ServingProcess) -> None:
    document = shop.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/recommendations", "/v1/search", "/v1/events", "/v1/items/{item_id}", "/v1/categories",
        "/v1/shoppers", "/v1/release", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)
    event = document["components"]["schemas"]["EventIn"]["properties"]
    assert {"event_id", "event_type", "user_id", "item_id", "event_at"} <= set(event)
    assert document["components"]["schemas"]["RecommendationsIn"]["examples"]


def test_metrics_count_requests_events_and_degraded_answers(shop: ServingProcess) -> None:
    shop.list_for("counted")
    shop.tell(viewed("counted", "i03"))
    text = shop.client.get("/metrics").text
    assert 'aisle_requests_total{route="/v1/recommendations",status="200"}' in text
    assert 'aisle_events_total{status="accepted"}' in text
    assert 'aisle_degraded_answers_total{part="ranker"}' in text
    assert "aisle_registry_reachable 1.0" in text
    assert 'aisle_release_served{digest="' in text


def test_a_connection_that_breaks_off_harms_nobody(shop: ServingProcess) -> None:
    host, port = shop.url.removeprefix("http://").split(":")
    for text in (
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"\x00\xff\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(text)
    assert shop.client.get("/healthz").status_code == 200


def test_a_key_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    key = "k" * 32
    with ServingProcess(tmp_path, AISLE_SERVING_API_KEY=key) as process:
        bearer = {"authorization": f"Bearer {key}"}
        for path in ("/v1/release", "/metrics"):
            answer = process.client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="aisle"')
            assert process.client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
            assert process.client.get(path, headers={"authorization": b"Bearer \xfc\xff"}).status_code == 401
            assert process.client.get(path, headers=bearer).status_code == 200
        assert process.client.get("/healthz").status_code == 200
        assert 'data-key-needed="yes"' in process.client.get("/").text
        # No release, no registry: what the shop has seen is all there is, then nothing at all.
        refused = httpx.post(f"{process.url}/v1/recommendations", json={}, headers=bearer)
        assert (refused.status_code, refused.json()["title"]) == (503, "No release is served")
        assert refused.headers["retry-after"] == "5"
        httpx.post(f"{process.url}/v1/events", json={"events": [bought("a", "i1")]}, headers=bearer)
        popular = httpx.post(f"{process.url}/v1/recommendations", json={}, headers=bearer).json()
        assert ids_of(popular) == ["i1"]
        assert popular["release"] is None
        assert popular["degraded"][0] == "no_release"
