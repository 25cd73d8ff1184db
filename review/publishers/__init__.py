"""The publishers that come with copydesk, a file for each."""
