"""Training of the published systems, which hear one window of fixed length: recipes, clips, the loop, its measures."""
