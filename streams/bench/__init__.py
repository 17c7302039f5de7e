"""`baton bench`: ratios of things measured side by side on this machine, and the page that tells them."""
