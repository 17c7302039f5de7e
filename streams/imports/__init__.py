"""Files of other systems become events: reading them, sending what is new, keeping what cannot be read."""
