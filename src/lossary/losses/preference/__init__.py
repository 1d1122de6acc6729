"""Losses for which of two answers is preferred, by how likely a model finds them."""
