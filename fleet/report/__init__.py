"""What is drawn from run records: the list of runs, one run told, and the page."""
