"""Protocols: which clips a network is trained on and which it answers, round after round."""
