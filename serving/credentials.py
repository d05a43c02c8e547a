"""Credentials: read from variables or files, and never shown in an error, a log line or an answer."""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from serving.errors import ConfigurationError

HIDDEN = "***"

LONGEST_SECRET = 64 * 1024
"""Bytes of a file that holds a secret, at most."""

_IN_ADDRESS = re.compile(r"(?P<before>[a-zA-Z][\w+.-]*://[^\s/:@?#'\"]*):(?P<secret>[^\s/@'\"]+)@")
_IN_QUERY = re.compile(
    r"(?P<before>[?&;\s](?:[\w-]*(?:password|passwd|pwd|secret|token|api_?key|access_?key))=)[^\s&;'\"]+",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """The text with the passwords of every address in it hidden: `mysql://shop:***@host/db`."""
    hidden = _IN_ADDRESS.sub(rf"\g<before>:{HIDDEN}@", text)
    return _IN_QUERY.sub(rf"\g<before>{HIDDEN}", hidden)


def has_credentials(address: str) -> bool:
    """Whether an address holds a password."""
    return without_credentials(address) != address


def secrets_from_files(prefix: str, names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Settings whose values stand in files, as container platforms hand out secrets.

    For setting `redis_url` of prefix `AISLE_`, the variable `AISLE_REDIS_URL_FILE` names the file. The
    variable `AISLE_REDIS_URL` itself comes first.

    Args:
        prefix: Of the variables.
        names: Settings that may stand in a file.
        environment: The variables.

    Returns:
        The values by setting, without the line feed at their ends.

    Raises:
        ConfigurationError: A file cannot be read, is empty, or is too large.
    """
    found = {}
    for name in names:
        variable = f"{prefix}{name.upper()}"
        path = environment.get(f"{variable}_FILE")
        if not path or environment.get(variable):
            continue
        try:
            with Path(path).open("rb") as file:
                content = file.read(LONGEST_SECRET + 1)
            value = content.decode("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{variable}_FILE: expected a file with the value of {variable}, received: {error}. Correct "
                "the path, or its permissions."
            ) from error
        if not value or len(content) > LONGEST_SECRET:
            raise ConfigurationError(
                f"{variable}_FILE: expected the value of {variable} in at most {LONGEST_SECRET} bytes, "
                f"received {'nothing' if not value else 'more'} in {path}."
            )
        found[name] = value
    return found


class LogFormatter(logging.Formatter):
    """Log lines, tracebacks included, without the passwords of addresses in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return without_credentials(super().format(record))
