"""Tables of studies and of what is measured of their runs."""
