"""Where a model looks: class activation maps, made finer, kept inside the head, and drawn."""
