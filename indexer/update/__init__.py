"""One indexing run, and what it would do: targets, changes, photos, captions."""
