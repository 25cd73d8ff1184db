"""From approved to published: at most one unattended send of each (output, revision, hash)."""
