"""The systems that users would pick instead, beside ours on one server: `python -m benchmarks.peers`."""
