"""How far every word and every loss is from the exact answer; `make accuracy` writes docs/accuracy.md."""
