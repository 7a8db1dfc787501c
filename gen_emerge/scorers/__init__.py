"""Room 4: images (and prompts) to raw signals and embeddings. Never sees genomes; what a number means, gates decide."""
