"""What every room that runs networks needs: weights read safely, devices chosen, models found, fetched and verified.

A low layer: it knows no room, no series and no store. Nothing heavy is imported until it is used.
"""
