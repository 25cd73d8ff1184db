"""What `copydesk db check` looks at, a subject a file: each yields findings and changes nothing."""
