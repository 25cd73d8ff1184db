"""The three agents of `copydesk demo`: ordinary programs that log through structlog and know nothing of the review."""
