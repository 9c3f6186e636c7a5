"""Enrolled voices: tables, migrations, and the store that everything else talks to."""
