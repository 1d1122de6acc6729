"""Gradients: LSY4xx."""
