"""Losses for the time until an event, which some have not had yet."""
