"""Where the files of the lake are: a local folder, or a store that speaks S3."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow.fs as pafs

from pipelines.settings import Settings


def storage_options(settings: Settings) -> dict[str, str]:
    """How delta-rs reaches the store of the lake; nothing for a local folder."""
    if not settings.lake_root.startswith("s3://"):
        return {}
    options = {"AWS_REGION": settings.s3_region}
    if settings.s3_endpoint_url is not None:
        options["AWS_ENDPOINT_URL"] = settings.s3_endpoint_url
        options["AWS_ALLOW_HTTP"] = str(settings.s3_endpoint_url.startswith("http://")).lower()
    if settings.s3_access_key_id is not None and settings.s3_secret_access_key is not None:
        options["AWS_ACCESS_KEY_ID"] = settings.s3_access_key_id.get_secret_value()
        options["AWS_SECRET_ACCESS_KEY"] = settings.s3_secret_access_key.get_secret_value()
    return options


def as_path(file_uri: str, table_uri: str) -> str:
    """A file of a table as other libraries open it; delta-rs writes a blank in a folder's name as `%20`."""
    root = urlsplit(table_uri)
    if root.scheme != "file":
        return file_uri
    return unquote(root.path) + file_uri.removeprefix(root.path)


def arrow_filesystem(table_uri: str, options: Mapping[str, str]) -> pafs.FileSystem:
    """Arrow's own file system, rooted at a table.

    Args:
        table_uri: Where the table is, as delta-rs names it.
        options: What `storage_options` says.
    """
    parts = urlsplit(table_uri.rstrip("/"))
    if parts.scheme not in ("s3", "s3a"):
        path = unquote(parts.path) if parts.scheme == "file" else table_uri
        return pafs.SubTreeFileSystem(str(Path(path).absolute()), pafs.LocalFileSystem())
    endpoint = options.get("AWS_ENDPOINT_URL")
    store = pafs.S3FileSystem(
        access_key=options.get("AWS_ACCESS_KEY_ID"),
        secret_key=options.get("AWS_SECRET_ACCESS_KEY"),
        region=options.get("AWS_REGION"),
        endpoint_override=None if endpoint is None else urlsplit(endpoint).netloc,
        scheme="https" if endpoint is None else urlsplit(endpoint).scheme,
    )
    return pafs.SubTreeFileSystem(f"{parts.netloc}{parts.path}", store)
