from .approval import APPROVAL_TAG as APPROVAL_TAG
from .approval import Approval as Approval
from .approval import read_approval as read_approval
from .catalogue import CATEGORY_SEPARATOR as CATEGORY_SEPARATOR
from .catalogue import levels_of as levels_of
from .durable import sync_folder as sync_folder
from .durable import sync_tree as sync_tree
from .event_types import EVENT_WEIGHTS as EVENT_WEIGHTS
from .event_types import NOT_HISTORY as NOT_HISTORY
from .event_types import declared_by as declared_by
from .event_types import liking_weights as liking_weights
from .event_types import signed_weights as signed_weights
from .event_types import undeclared as undeclared
from .layout import ARRAYS as ARRAYS
from .layout import INTENT as INTENT
from .layout import INTENT_SPEC as INTENT_SPEC
from .layout import ITEM_COLUMNS as ITEM_COLUMNS
from .layout import ITEMS as ITEMS
from .layout import QUERY_ENCODER as QUERY_ENCODER
from .layout import RANKER as RANKER
from .layout import TEXT_INDEX as TEXT_INDEX
from .layout import ArrayFormat as ArrayFormat
from .manifest import FORMAT as FORMAT
from .manifest import FileFact as FileFact
from .manifest import Manifest as Manifest
from .reader import Bundle as Bundle
from .reader import ItemFacts as ItemFacts
from .seal import key_id as key_id
from .seal import load_private_key as load_private_key
from .seal import load_public_key as load_public_key
from .seal import verify as verify
from .seal import verify_manifest as verify_manifest
from .seal import write_key_pair as write_key_pair
from .spec import DEFAULT_SOURCES as DEFAULT_SOURCES
from .spec import ProfileFeature as ProfileFeature
from .spec import Spec as Spec
from .spec import read_spec as read_spec
from .spec import write_spec as write_spec
from .trusted_keys import revoked_key_ids as revoked_key_ids
from .trusted_keys import state_of_keys as state_of_keys
from .trusted_keys import trusted_keys as trusted_keys
from .writer import write_array as write_array
from .writer import write_items as write_items

__all__ = [
    "APPROVAL_TAG",
    "ARRAYS",
    "CATEGORY_SEPARATOR",
    "DEFAULT_SOURCES",
    "EVENT_WEIGHTS",
    "FORMAT",
    "INTENT",
    "INTENT_SPEC",
    "ITEMS",
    "ITEM_COLUMNS",
    "NOT_HISTORY",
    "QUERY_ENCODER",
    "RANKER",
    "TEXT_INDEX",
    "Approval",
    "ArrayFormat",
    "Bundle",
    "FileFact",
    "ItemFacts",
    "Manifest",
    "ProfileFeature",
    "Spec",
    "declared_by",
    "key_id",
    "levels_of",
    "liking_weights",
    "load_private_key",
    "load_public_key",
    "read_approval",
    "read_spec",
    "revoked_key_ids",
    "signed_weights",
    "state_of_keys",
    "sync_folder",
    "sync_tree",
    "trusted_keys",
    "undeclared",
    "verify",
    "verify_manifest",
    "write_array",
    "write_items",
    "write_key_pair",
    "write_spec",
]
