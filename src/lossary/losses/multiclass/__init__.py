"""Losses for one of K classes."""
