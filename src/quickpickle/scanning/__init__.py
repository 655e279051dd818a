"""Pickles read as a tree of nodes: for `inspect`, and for the paths in errors of loads."""
