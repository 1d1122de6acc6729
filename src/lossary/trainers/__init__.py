"""Losses at home in training engines: one module an engine, imported by whoever uses it."""
