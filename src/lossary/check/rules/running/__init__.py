"""Whether a loss runs at all."""
