"""Engines: where renders run. Genomes in, saved pictures out, in cycle order, one cycle ahead of the loop."""
