"""Vector indexes over the catalogue; FAISS is imported here only."""
