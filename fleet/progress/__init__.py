"""What a person, or a script, sees of a run: lines or a live table while it goes, a recap at its end, or one JSON document."""
