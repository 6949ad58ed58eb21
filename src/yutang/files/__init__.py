"""Pictures, videos and other files that customers are sent: kept once, by what is in them, in the operational store."""
