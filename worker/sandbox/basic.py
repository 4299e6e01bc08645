"""Basic authentication, as far as several gateways read it alike."""

import base64


def basic_login(authorization: str) -> tuple[str, str]:
    """Return user name and secret, both empty where the header is none of Basic authentication."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        user, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # of base64, or of UTF-8
        return "", ""
    return (user, secret) if scheme.lower() == "basic" else ("", "")
