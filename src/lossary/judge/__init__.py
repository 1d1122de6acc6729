"""The judge: losses in as many digits as it takes, by mpmath."""
