"""The shell: thin commands over the same services that the console and the API use."""
