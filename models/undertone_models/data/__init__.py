"""Reading corpora: clips, labels, noises, trials, and the cache of decoded audio."""
