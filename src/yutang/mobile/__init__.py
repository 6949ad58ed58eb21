"""The phones of the people who carry a plan out: guide, store manager, and the sidebar beside a chat."""
