"""Rules asked of losses: in this process, in one of their own, and as tests."""
