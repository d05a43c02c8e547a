"""docs/http-api.md says what the API does: its examples run, and every route of the API is named."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
READMES = {name: (Path(__file__).parents[3] / name).read_text() for name in ("README.md", "README.zh.md")}


def curl_commands(text: str) -> list[str]:
    """Each `curl` of the page's shell blocks, its lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def answer_to(command: str, address: str) -> tuple[int, str]:
    """Status and body of the page's command, sent to a running process."""
    words = [word.replace("localhost:8000", address.removeprefix("http://")) for word in shlex.split(command)]
    result = subprocess.run(
        [*words, "--write-out", "\n%{http_code}"], capture_output=True, text=True, timeout=60, check=True
    )
    body, _, status = result.stdout.rpartition("\n")
    return int(status), body


def test_the_page_has_examples():
    assert len(curl_commands(PAGE)) >= 10
    assert all(len(curl_commands(text)) >= 3 for text in READMES.values())


@pytest.mark.parametrize("command", sorted({*curl_commands(PAGE), *curl_commands("".join(READMES.values()))}))
def test_every_example_is_answered(shop, command: str):
    status, body = answer_to(command, shop.url)
    assert status == 200
    if "/metrics" in command:
        assert "aisle_requests_total" in body
    else:
        assert json.loads(body)


def test_every_route_is_on_the_page(shop):
    status, body = answer_to("curl -s localhost:8000/openapi.json", shop.url)
    assert status == 200
    paths = {path.replace("{item_id}", "ITEM_ID") for path in json.loads(body)["paths"]}
    assert {path for path in paths if path not in PAGE} == set()
