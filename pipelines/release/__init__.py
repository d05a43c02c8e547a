"""Releases: assembled, measured, gated, signed, registered, promoted and rolled back as one bundle."""
