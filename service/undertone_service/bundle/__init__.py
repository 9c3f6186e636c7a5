"""The bundle: the contract between training and serving. Read, checked and run here."""
