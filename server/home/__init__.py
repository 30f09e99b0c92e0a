"""The first page, made of what the other nouns say: figures, Decision 766, boxes, the day's work."""
