"""The page and the HTTP API over a library (extra ``serve``)."""
