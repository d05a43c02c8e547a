from pipelines.training.baselines.complements import bought_together
from tests.training.baselines.small_field import interactions


def test_complements_share_baskets_not_just_users():
    # Items 0 and 1 share three baskets; item 2 comes from the same users, on other days.
    rows = [(user, item, 1) for user in range(3) for item in (0, 1)] + [(user, 2, 2) for user in range(3)]
    together = bought_together(interactions(*rows), n_items=3, complements=2)
    assert together.items.tolist() == [[1, -1], [0, -1], [-1, -1]]
