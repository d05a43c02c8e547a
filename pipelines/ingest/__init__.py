"""Taking shop data in: read a source, clean it, hold it to its contract, and store what is new."""
