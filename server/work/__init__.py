"""Background work: engines, threads, caches, indexing."""
