"""Losses for a number as the target."""
