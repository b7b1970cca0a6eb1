"""Output for people: tables, thumbnails and pages."""
