"""Losses for one of several ranks, which have an order and no distances."""
