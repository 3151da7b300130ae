"""All state that survives a restart."""
