"""Shapes, batches, reduction: LSY1xx."""
