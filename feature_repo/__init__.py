"""What Feast knows of Aisle's features: entities, sources, views and services. Declarations only."""
