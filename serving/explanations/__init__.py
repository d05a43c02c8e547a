"""TODO serving/explanations."""
