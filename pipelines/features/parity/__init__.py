"""Parity checks: served feature values against values recomputed from history.

Owns `aisle features verify`. Reads both stores; writes nothing.
"""
