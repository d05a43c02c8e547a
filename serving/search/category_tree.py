"""The catalogue's categories as a shopper walks them."""

from collections import Counter
from typing import Any

import numpy as np

from serving.bundle import CATEGORY_SEPARATOR, Bundle


def category_tree(bundle: Bundle) -> list[dict[str, Any]]:
    """Departments with their categories, those with most available items first.

    Each is `{"name", "path", "items", "children": [...]}`, the children without further ones; departments
    without an item that can be bought are left out.
    """
    catalogue = bundle.catalogue
    codes = catalogue.category_codes
    counts = np.bincount(
        codes[(codes >= 0) & catalogue.available], minlength=len(catalogue.categories)
    ).tolist()
    departments: Counter[str] = Counter()
    categories: dict[str, Counter[str]] = {}
    for levels, count in zip(catalogue.levels, counts, strict=True):
        if count == 0 or not levels:
            continue
        departments[levels[0]] += count
        if len(levels) > 1:
            categories.setdefault(levels[0], Counter())[levels[1]] += count
    return [
        {
            "name": department,
            "path": department,
            "items": items,
            "children": [
                {"name": name, "path": f"{department}{CATEGORY_SEPARATOR}{name}", "items": count}
                for name, count in categories.get(department, Counter()).most_common()
            ],
        }
        for department, items in departments.most_common()
    ]
