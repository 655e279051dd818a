"""The behaviour of CPython and the meaning of options, decided once for both implementations."""
