"""TODO serving/engine."""
