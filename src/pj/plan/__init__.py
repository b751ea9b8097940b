"""What is left to run, how long it takes, and which of it settles most claims. Imports no torch to plan."""
