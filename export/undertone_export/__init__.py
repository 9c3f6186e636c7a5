"""From a trained network to a checked, evaluated, documented bundle."""
