"""What is said of a loss, each with a function that tries to refute it."""
