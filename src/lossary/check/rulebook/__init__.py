"""What a rule is, when it applies, and which failures are expected."""
