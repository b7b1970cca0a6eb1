"""Heat maps and boxes that show a phrase in a photo."""
