"""Tables of studies, of analyses of their runs, and of claims."""
