"""Agents of the reaction plane: plain async generators that are given what they need."""
