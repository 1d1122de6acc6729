"""Losses for the order within lists: which of two entries comes first."""
