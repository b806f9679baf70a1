"""The reference against itself: unlike derivations, laws, and numbers worked by hand."""
