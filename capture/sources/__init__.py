"""Where events come from: logging and agent frameworks."""
