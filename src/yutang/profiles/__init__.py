"""What is known of each person: traits, kept up with what is new, and always equal to a rebuild."""
