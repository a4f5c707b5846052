"""One script per system, at most 50 lines each; the peers' run in environments of their own (see `common`)."""
