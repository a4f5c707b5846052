"""The server: an OpenAI-compatible API over search and formulation, and a page. `python -m reasoning.serve` runs it."""
