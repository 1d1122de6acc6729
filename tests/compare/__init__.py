"""The comparison and the suggestion."""
