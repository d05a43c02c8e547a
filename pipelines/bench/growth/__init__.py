"""How training grows with events and with items."""
