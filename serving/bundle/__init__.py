"""The release bundle: the one place that defines its format, and both writes and reads it.

A bundle is a directory: items and their arrays, encoders and ranker as LiteRT graphs, the text index, the
report and a signed manifest. Nothing in it is executed by being loaded: no pickle, no code.
"""

from serving.bundle.layout import ARRAYS, ITEM_COLUMNS, ArrayFormat
from serving.bundle.manifest import FORMAT, FileFact, Manifest
from serving.bundle.reader import Bundle, ItemFacts
from serving.bundle.seal import (
    key_id,
    load_private_key,
    load_public_key,
    seal,
    verify,
    write_key_pair,
)
from serving.bundle.spec import ProfileFeature, Spec, read_spec, write_spec
from serving.bundle.writer import write_array, write_items
from serving.errors import BundleError

__all__ = [
    "ARRAYS",
    "FORMAT",
    "ITEM_COLUMNS",
    "ArrayFormat",
    "Bundle",
    "BundleError",
    "FileFact",
    "ItemFacts",
    "Manifest",
    "ProfileFeature",
    "Spec",
    "key_id",
    "load_private_key",
    "load_public_key",
    "read_spec",
    "seal",
    "verify",
    "write_array",
    "write_items",
    "write_key_pair",
    "write_spec",
]
