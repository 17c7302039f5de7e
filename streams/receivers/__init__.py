"""Where people are notified: chat, pagers, mail, webhooks. One module for each kind of receiver."""
