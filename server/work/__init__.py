"""What works between requests: engines, threads, caches, indexing."""
