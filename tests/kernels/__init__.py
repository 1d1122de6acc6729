"""The kernels beside the operations."""
