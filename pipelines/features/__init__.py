"""Features: what is known about users and items at any instant, built with Ibis and kept in Feast."""
