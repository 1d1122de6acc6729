"""lossary beside what its users would take instead: time and peak memory, in one run on one machine.

    python -m benchmarks [section ...] [--quick]     writes build/bench/*.json and docs/performance.md

Each section runs in a process of its own, so that no framework takes another's threads or memory.
"""
