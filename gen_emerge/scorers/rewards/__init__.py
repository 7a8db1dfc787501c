"""Takes images and their prompts; gives learned human preference: selectors within one prompt, never gates.

Each was trained on people's choices among images of the *same* prompt. Between prompts the numbers differ by far more
than between images, so only comparisons within one prompt mean anything.
"""
