"""How good is it? Metrics with intervals, protocols, and the map."""
