"""Problems and where they come from: records, the data directory, and loaders. No model, no search."""
