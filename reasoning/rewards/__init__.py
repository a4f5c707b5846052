"""Process rewards: how promising a partial solution is, in [0, 1]; one file per kind."""
