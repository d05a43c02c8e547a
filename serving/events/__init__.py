"""TODO serving/events."""
