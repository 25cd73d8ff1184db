"""The writer: from an event on the agent's thread to a commit, through a journal that survives a kill."""
