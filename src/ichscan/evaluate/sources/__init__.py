"""Where predictions come from: a bundle that is run now, a finished run, or a table."""
