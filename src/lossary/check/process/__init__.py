"""The child process in which the command line checks."""
