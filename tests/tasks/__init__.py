"""What a guide is asked to do, and what they know of whom they speak to."""
