"""TODO serving/releases."""
