"""WeChat customer service (微信客服) in the house: what customers asked and what they were answered, each word once."""
