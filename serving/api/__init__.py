"""The HTTP API of serving: what is accepted, what is answered, and how errors read."""
