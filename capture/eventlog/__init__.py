"""The log: one append-only table of typed events with dense positions in the order of commits."""
