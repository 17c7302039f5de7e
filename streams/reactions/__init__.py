"""The reaction plane: the Faust app and its agents."""
