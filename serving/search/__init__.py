"""TODO serving/search."""
