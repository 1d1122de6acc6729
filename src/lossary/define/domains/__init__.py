"""What a prediction or a target may be."""
