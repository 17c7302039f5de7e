"""Questions about the numbers, and what is done on their answers; for commands, pages and APIs alike."""
