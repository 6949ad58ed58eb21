"""What each person is worth: what they brought so far, what is expected of them, and whom they brought."""
