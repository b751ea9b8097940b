"""Texts: labels, captions, caveats, and tables for people."""
