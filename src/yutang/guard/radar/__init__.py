"""The radar of quotas and costs (额度与成本雷达): each wall of the platform's, how near it is, what to clean up."""
