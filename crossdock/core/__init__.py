"""Vocabulary: names used by every other package, and no technology."""
