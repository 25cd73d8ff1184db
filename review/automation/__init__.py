"""What the desk is asked without a person: to take new drafts up, to decide as rules do, and to close what is over."""
