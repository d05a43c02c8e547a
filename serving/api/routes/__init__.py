"""The routes, a module for each group: recommendations, events, catalogue, operations.

A route translates a request, calls one service and translates the result.
"""
