"""The `aisle` command: one verb for each step, imported only when it runs.

Owns the entry point and the verbs that belong to no single step. May import everything; nothing imports it.
"""
