"""The operations that losses are written in, on the arrays of each framework, and what is made of the results."""
