"""Training: augmentation, batches, losses, the loop."""
