"""Names of the parts of a training that are measured."""

GROWTH_PARTS = ("features", "training_set", "sources", "retrieval", "ranking")
"""In the order in which they are done. Making the training set makes the candidate sources' lists, too."""
