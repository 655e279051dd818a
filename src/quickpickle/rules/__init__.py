"""What CPython does and what the options mean, decided once for both implementations."""
