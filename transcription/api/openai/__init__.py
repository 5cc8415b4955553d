"""The routes of OpenAI's audio API, for the programs that are written for it.

What goes over the wire was captured from the official Python client (3.57): these modules answer
what that client understands, and nothing that it would misread.
"""
