"""Names: which tables there may be, who owns which, and the classes by which a module reaches its own."""
