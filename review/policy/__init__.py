"""The rules that a person wrote, and what they say about one output."""
