"""When things run: one file per DAG, and the assets that join them. What they do is in `pipelines`."""
