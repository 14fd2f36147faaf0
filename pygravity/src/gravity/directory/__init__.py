"""The Service Directory."""
