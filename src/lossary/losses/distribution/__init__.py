"""Losses for a whole distribution as the prediction."""
