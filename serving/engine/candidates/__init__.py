"""TODO serving/engine/candidates."""
