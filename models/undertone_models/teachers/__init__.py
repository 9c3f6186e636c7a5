"""Networks of others that ours learns from and is measured beside, each in an environment of its own."""
