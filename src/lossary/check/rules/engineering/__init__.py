"""Engineering: LSY6xx."""
