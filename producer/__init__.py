"""The person's side: what is sent, to whom and when; the command line."""
