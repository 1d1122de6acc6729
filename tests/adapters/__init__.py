"""Losses at home in each framework, and in those who train."""
