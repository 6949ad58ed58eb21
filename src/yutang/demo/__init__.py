"""The demo pond: real purchases, synthetic people around them, loaded by the doors that a brand uses."""
