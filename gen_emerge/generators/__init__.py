"""Generators: genome -> image."""
