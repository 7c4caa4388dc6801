"""Classical models on the same splits: what a bundled model has to beat, where a data pack does not state it."""
