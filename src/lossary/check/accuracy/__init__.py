"""How exact a loss is, by the exact judge."""
