"""Mutations: each protection is switched off, and the tests that guard it must fail."""
