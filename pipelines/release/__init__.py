"""Release: one signed bundle, gated, registered, promoted and rolled back as one."""
