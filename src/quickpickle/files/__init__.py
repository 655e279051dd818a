"""Files by their path: written completely or not at all, and read, compressed or not."""
