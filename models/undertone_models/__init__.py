"""Network definitions, data, training and recipes."""
