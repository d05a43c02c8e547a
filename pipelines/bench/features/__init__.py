"""The feature store beside Feast's own stores, and feature building beside pandas."""
