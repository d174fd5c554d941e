"""From texts, audio and ready vectors to content vectors of the items."""
