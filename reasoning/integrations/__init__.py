"""Where other projects meet this one: a search as a model of lm-evaluation-harness and of Inspect."""
