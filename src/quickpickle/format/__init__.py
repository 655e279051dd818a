"""Facts about the pickle format. Nothing here imports from the other packages."""
