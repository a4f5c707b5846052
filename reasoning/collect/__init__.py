"""Training data that only an engine can make: sampled solutions, step labels, step preferences."""
