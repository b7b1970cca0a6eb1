"""Hits for people: tables, thumbnails, pages."""
