"""One file a revision. A migration is the past: it imports no table definition of the present."""
