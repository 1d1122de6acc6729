"""Embeddings: what belongs together is near, what does not is far."""
