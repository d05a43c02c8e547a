"""How building features grows with the events of a shop, on both engines."""
