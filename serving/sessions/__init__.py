"""TODO serving/sessions."""
