"""Laws of every loss of the catalogue, and of losses of every shape."""
