"""Named generators, by what their problems share."""
