"""What rules measure with: slopes by differences, accuracy, the smallest input that fails."""
