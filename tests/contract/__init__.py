"""What every call, name, file and error keeps to."""
