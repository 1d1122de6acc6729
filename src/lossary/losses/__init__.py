"""The catalogue: one loss, one file, nothing else to edit by hand. `make index` finds what is here."""
