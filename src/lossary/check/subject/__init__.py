"""The loss under check, and inputs for it."""
