"""What is shown of a loss: its formula, its page, its line in a table."""
