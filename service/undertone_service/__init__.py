"""The Undertone server: audio in, results out. No torch."""
