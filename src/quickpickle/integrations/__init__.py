"""What other libraries load by name to use quickpickle; nothing here is imported until then."""
