"""Words: labels, captions, caveats, and a table as people read it."""
