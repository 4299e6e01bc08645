"""The protocol as an explicit-state model: every interleaving up to a bound, and what each protection is for.

``python -m tests.model`` prints the scenes, and for each protection what happens without it.
"""
