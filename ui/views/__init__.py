"""Results as HTML: pure functions from dataclasses to strings. Every text that came from outside is escaped."""
