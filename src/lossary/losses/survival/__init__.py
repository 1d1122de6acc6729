"""Losses for the time until something happens, not seen for all."""
