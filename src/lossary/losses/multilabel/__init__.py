"""Losses for several labels at once, each of which holds or not."""
