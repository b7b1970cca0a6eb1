"""Folders of photos and caption files to a catalogue with vector indexes."""
