"""The reflex lane: an event → an act at once, each act once, by rules that people write; late is never."""
