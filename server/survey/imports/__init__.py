"""Files of people's making, read into the store: all or nothing, repeatable, errors by row."""
