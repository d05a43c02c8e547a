"""The product names of the Complete Journey, written out for people to read."""

import re

import polars as pl

WORDS = {
    "acc": "accessories",
    "bkd": "baked",
    "bg": "bags",
    "bn": "beans",
    "brkfst": "breakfast",
    "btr": "butter",
    "carb": "carbonated",
    "catfd": "cat food",
    "chix": "chicken",
    "ckys": "cookies",
    "cleang": "cleaning",
    "cndy": "candy",
    "cntrl": "control",
    "conc": "concentrate",
    "cont": "contributions",
    "crkr": "crackers",
    "crystl": "crystal",
    "deod": "deodorants",
    "disposible": "disposable",
    "dnr": "dinner",
    "dogfd": "dog food",
    "drng": "dressing",
    "drnk": "drink",
    "drnkng": "drinking",
    "drnks": "drinks",
    "drsng": "dressing",
    "dsh": "dishes",
    "elect": "electrical",
    "fd": "food",
    "fem": "feminine",
    "flavord": "flavoured",
    "flvrd": "flavoured",
    "frz": "frozen",
    "frzn": "frozen",
    "gm": "general merchandise",
    "hbc": "health and beauty",
    "hygn": "hygiene",
    "jce": "juice",
    "lrg": "large",
    "lss": "less",
    "lunchmeat": "lunch meat",
    "lnchmt": "lunch meat",
    "memorablilia": "memorabilia",
    "merch": "merchandise",
    "misc": "miscellaneous",
    "mixs": "mixes",
    "mnrl": "mineral",
    "mw": "microwave",
    "mx": "mix",
    "mxs": "mixes",
    "ndairy": "non-dairy",
    "noveltis": "novelties",
    "pckgd": "packaged",
    "pickld": "pickled",
    "pk": "pack",
    "pkg": "packaged",
    "pkgd": "packaged",
    "pkld": "pickled",
    "pnt": "peanut",
    "prem": "premium",
    "prep": "prepared",
    "prepreped": "prepared",
    "prod": "produce",
    "prpck": "packaged",
    "prslc": "sliced",
    "presliced": "sliced",
    "presqueezed": "squeezed",
    "prtzls": "pretzels",
    "pty": "party",
    "pwdr": "powder",
    "refrgratd": "refrigerated",
    "refrig": "refrigerated",
    "reg": "regular",
    "sald": "salad",
    "seafd": "seafood",
    "seaf": "seafood",
    "shwr": "shower",
    "smi": "semi",
    "sndwch": "sandwich",
    "snks": "snacks",
    "sod": "soda",
    "sply": "supplies",
    "sprd": "spread",
    "stk": "stick",
    "sup": "supplies",
    "suppplies": "supplies",
    "supp": "supplements",
    "sv": "service",
    "sw": "sweet",
    "swt": "sweet",
    "sweetners": "sweeteners",
    "tiss": "tissues",
    "trsh": "trash",
    "unflvrd": "unflavoured",
    "veg": "vegetable",
    "vgtbl": "vegetable",
    "whl": "whole",
    "whlsm": "wholesome",
    "whs": "warehouse",
    "wtr": "water",
}
"""Abbreviations of the package that stand for one thing only."""

WHOLE_NAMES = {"DRUG GM": "Drugstore and General", "GM MERCH EXP": "General Merchandise"}
INITIALS = {"bbq", "cd", "dvd", "dvds", "hba", "iqf", "tv", "usa", "led", "mmk"}
SMALL_WORDS = {"and", "or", "of", "with", "the", "in", "for", "to", "than"}


def readable(names: pl.Series) -> pl.Series:
    """The names with abbreviations written out, cut-off brackets dropped and in title case; nulls stay."""
    distinct = names.drop_nulls().unique()
    written_out = pl.Series([_written_out(name) for name in distinct], dtype=pl.String)
    return names.replace_strict(distinct, written_out, default=None, return_dtype=pl.String)


def _written_out(name: str) -> str:
    if name in WHOLE_NAMES:
        return WHOLE_NAMES[name]
    name = name.replace("N/A ", "").replace("W/O", "without ").replace("W/", "with ")
    name = re.sub(r"\b(WOMEN|MEN|CHILDREN) S\b", r"\1'S", name)
    name = re.sub(r"\([^()]*$", "", name)  # the package cuts names off at 30 characters
    name = re.sub(r"(?<=\w)[:](?=\w)", ": ", name)
    name = re.sub(r"\s*&\s*", " & ", name)
    name = re.sub(r"[A-Za-z]+(?:'[A-Za-z]+)?", _word, name)
    name = re.sub(r"(?<=\w)\.(?=\s|$|,|-|\w)", " ", name) if not re.search(r"\d\.\d", name) else name
    name = re.sub(r"\s+", " ", name).strip(" -/.,:&")
    return name[:1].upper() + name[1:]


def _word(found: re.Match[str]) -> str:
    word = found.group().lower()
    if word in INITIALS:
        return word.upper()
    word = WORDS.get(word, word)
    if word in SMALL_WORDS:
        return word
    return " ".join(part[:1].upper() + part[1:] for part in word.split(" "))
