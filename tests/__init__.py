"""Is the project itself right? Mirrors the packages it tests."""
