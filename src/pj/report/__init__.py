"""Tables, figures and the report they stand in."""
