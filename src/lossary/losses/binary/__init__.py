"""Losses for one of two classes."""
