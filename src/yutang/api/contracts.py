"""What other rooms may know of the API without loading it."""

SCOPES = ("events:write", "read", "plans:write", "persons:write")
"""What a token may be allowed."""
