"""The demo pond: real purchases of a public data set, synthetic people around them, loaded by the doors a brand uses."""
