"""The multi-task ranking model."""
