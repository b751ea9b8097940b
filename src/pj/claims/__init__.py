"""Claims of a paper as data, the evidence for them, and verdicts."""
