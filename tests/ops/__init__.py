"""The operations on each framework's arrays."""
