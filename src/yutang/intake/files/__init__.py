"""Files that people send, as blocks of rows with their numbers, whatever their format."""
