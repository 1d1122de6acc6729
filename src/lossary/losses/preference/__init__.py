"""Losses for which of two answers is preferred."""
