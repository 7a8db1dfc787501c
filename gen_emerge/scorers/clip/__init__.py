"""Room 4, CLIP: one tower, one image pass, and the heads that read it (prompt, zero-shot style, probe).

A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), through open_clip.
Importing this package is light: open_clip and torch are imported when a tower is opened.
"""
