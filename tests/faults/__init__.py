"""Wrong implementations, kept on purpose."""
