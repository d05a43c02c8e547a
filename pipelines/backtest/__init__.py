"""Backtests: a folder of events in, models fitted on what lies before a cutoff, measured on what came after.

A protocol says where the cutoff lies. `cut` finds it, `prepare` makes of what lies before it the trial that
models are fitted on, and keeps the answers apart; no model is ever given them.
"""
