"""Hyper-parameter search on validation, for baselines and for Aisle's own model.

Owns `aisle tune`. Imports protocols and models; never reads the test's ground truth.
"""
