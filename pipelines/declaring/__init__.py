"""Declaring features: what an edit of `feature_repo` changes, whom it breaks, and applying it."""
