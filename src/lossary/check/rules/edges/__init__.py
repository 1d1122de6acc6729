"""Infinities, NaN, edges: LSY2xx."""
