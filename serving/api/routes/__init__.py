"""TODO serving/api/routes."""
