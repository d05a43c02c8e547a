"""Training: baselines, the retrieval model, the ranking model, and what they leave in a release bundle."""
