"""What may be imported: kinds of lists, their fields, and what a row of each comes to."""
