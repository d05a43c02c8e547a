"""The local process runner: starts services, waits until they are healthy, and leaves none behind."""
