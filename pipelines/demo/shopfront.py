"""The demo's own look at the serving process, as any shop would look: over HTTP."""

import statistics
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from pipelines.errors import DemoError

WARM_REQUESTS = 20
TIMED_REQUESTS = 200


class Shopfront:
    """A client of the serving process at `url`."""

    def __init__(self, url: str) -> None:
        # Loopback: proxies of the environment have no business here.
        self._http = httpx.Client(base_url=url, timeout=10.0, trust_env=False)

    def served_version(self) -> str | None:
        """Version of the release that is served; None where there is none, or no answer yet."""
        try:
            release = self._http.get("/v1/release").raise_for_status().json()["release"]
        except httpx.HTTPError:
            return None
        return None if release is None else str(release["version"])

    def refusal(self) -> str | None:
        """Why serving refused the champion, if it did."""
        try:
            refusal = self._http.get("/v1/release").raise_for_status().json().get("refusal")
        except httpx.HTTPError as error:
            return f"serving does not answer: {error}"
        return None if refusal is None else str(refusal["reason"])

    def home_list(self, user_id: str, k: int = 5) -> list[dict[str, Any]]:
        """The first `k` items of a user's home list.

        Raises:
            DemoError: When serving refuses or the list is empty.
        """
        try:
            answer = self._http.post(
                "/v1/recommendations", json={"user_id": user_id, "surface": "home", "k": k}
            )
        except httpx.HTTPError as error:
            raise DemoError(f"serving does not answer for user {user_id}: {error}") from error
        if answer.is_error:
            raise DemoError(f"serving refused user {user_id} ({answer.status_code}): {answer.text[:300]}")
        items: list[dict[str, Any]] = answer.json()["items"]
        if not items:
            raise DemoError(f"serving has nothing to recommend to user {user_id}")
        return items

    def median_latency_ms(self, user_ids: Sequence[str]) -> float:
        """Median time of a home list of ten, one request after the other over one connection."""
        times_ms = []
        for number in range(WARM_REQUESTS + TIMED_REQUESTS):
            started = time.perf_counter()
            self.home_list(user_ids[number % len(user_ids)], k=10)
            times_ms.append((time.perf_counter() - started) * 1e3)
        return statistics.median(times_ms[WARM_REQUESTS:])


class ServedWatch:
    """Notices, in a thread, the instant from which a version is served.

    Args:
        url: Address of the serving process.
        version: The version to wait for; None waits for any.
    """

    def __init__(self, url: str, version: str | None = None) -> None:
        self._shopfront = Shopfront(url)
        self._version = version
        self._served = threading.Event()
        self._served_at: datetime | None = None
        threading.Thread(target=self._watch, name="served-watch", daemon=True).start()

    def wait(self, limit_s: float) -> datetime:
        """The wall-clock instant from which the version is served.

        Raises:
            DemoError: When it is not served within the limit, with serving's reason.
        """
        if not self._served.wait(limit_s) or self._served_at is None:
            raise DemoError(
                f"serving did not take the approved release within {limit_s:.0f} s: "
                f"{self._shopfront.refusal() or 'it has not seen it yet'}"
            )
        return self._served_at

    def _watch(self) -> None:
        while (served := self._shopfront.served_version()) is None or self._version not in (None, served):
            time.sleep(0.1)
        self._served_at = datetime.now(UTC)
        self._served.set()
