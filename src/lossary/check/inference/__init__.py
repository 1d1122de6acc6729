"""What a loss is: found, read, tried, recognised."""
