"""Losses for the time until something happens, which is not observed for all."""
