"""Boxes around things: how much the predicted and the true one overlap."""
