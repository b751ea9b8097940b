"""Pages that hold everything: report.md, report.html, and what is kept of a machine."""
