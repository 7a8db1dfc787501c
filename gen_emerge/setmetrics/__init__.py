"""Set metrics: embeddings of one set (or two) -> figures of diversity. Diagnoses, never objectives."""
