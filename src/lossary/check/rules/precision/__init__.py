"""Precision and dtypes: LSY3xx."""
