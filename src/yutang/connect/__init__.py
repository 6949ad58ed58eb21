"""Contact ways: by which door people come, to whom they are led, what each door costs and brings."""
