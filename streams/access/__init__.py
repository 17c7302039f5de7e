"""Who reads the numbers with their own tools: tokens, and the log of what was asked."""
