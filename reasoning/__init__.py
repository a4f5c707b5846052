"""Language-model reasoning with step-level search: `python -m reasoning.solve`, or `from reasoning import Solver`."""
