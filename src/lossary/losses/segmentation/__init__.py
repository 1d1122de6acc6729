"""Masks: which pixels belong to something."""
