"""Meaning: LSY5xx."""
