"""Modules that other libraries load by name; nothing here is imported until then."""
