"""Trained bundles: data only."""
