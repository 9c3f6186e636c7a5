"""Message types of the native protocol and of REST: the contract between server and client.

A leaf: every package may import it, and it imports nothing but pydantic.
"""
