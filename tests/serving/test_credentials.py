"""Credentials: hidden wherever an address is shown, and read from variables or files."""

import logging

import pytest

from serving.credentials import LogFormatter, has_credentials, secrets_from_files, without_credentials
from serving.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://shop:s3cret@db:3306/shop", "mysql://shop:***@db:3306/shop"),
        ("redis://:s3cret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        (
            "postgresql+psycopg://a:p%40ss@h/d?sslmode=require",
            "postgresql+psycopg://a:***@h/d?sslmode=require",
        ),
        ("postgresql://h/d?user=a&password=s3cret&x=1", "postgresql://h/d?user=a&password=***&x=1"),
        ("http://mlflow?api_key=s3cret", "http://mlflow?api_key=***"),
        ("postgresql://h/d?sslpassword=s3cret", "postgresql://h/d?sslpassword=***"),
        (
            "could not reach http://u:s3cret@host:5000/api: refused",
            "could not reach http://u:***@host:5000/api: refused",
        ),
    ],
)
def test_a_password_in_an_address_is_hidden_wherever_it_stands(text: str, shown: str):
    assert without_credentials(text) == shown
    assert has_credentials(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/",
        "s3://bucket/a@b",
        "user@example.org: hello",
        "sqlite:////var/mlflow.db",
        "a: b@c",
    ],
)
def test_what_holds_no_password_is_shown_as_it_is(text: str):
    assert without_credentials(text) == text
    assert not has_credentials(text)


def test_a_log_line_hides_them_in_message_arguments_and_traceback():
    error = OSError("no route to redis://:s3cret@shop:6379")
    told = ("mysql://a:s3cret@b/c",)
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "at %s", told, (OSError, error, None))
    line = LogFormatter("%(message)s").format(record)
    assert "s3cret" not in line
    assert "at mysql://a:***@b/c" in line
    assert "redis://:***@shop:6379" in line


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path):
    path = tmp_path / "redis"
    path.write_text("redis://:s3cret@shop:6379\n")
    environment = {
        "AISLE_REDIS_URL_FILE": str(path),
        "AISLE_SHOP_SOURCE_FILE": str(path),
        "AISLE_SHOP_SOURCE": "x",
    }
    found = secrets_from_files("AISLE_", ["redis_url", "shop_source", "tracking_uri"], environment)
    assert found == {"redis_url": "redis://:s3cret@shop:6379"}


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_one_clear_error(tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="AISLE_REDIS_URL_FILE: expected"):
        secrets_from_files("AISLE_", ["redis_url"], {"AISLE_REDIS_URL_FILE": str(path)})
