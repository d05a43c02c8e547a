"""What Aisle does, step by step: ingest, features, evaluation, training, release."""
