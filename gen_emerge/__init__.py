"""gen-emerge: long series of generated art that stay diverse."""

__version__ = "0.1.0"
