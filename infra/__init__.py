"""How Aisle runs: today on one machine, as local processes."""
