"""Optimisation models in typed form: words and data to a MILP that is solved, checked, explained and exported."""
