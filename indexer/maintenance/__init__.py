"""Damage, repair, disk space, and folders that moved."""
