"""JSON Web Tokens as Aware's API takes them: signed with a shared secret, by HS256."""

import base64
import hmac
import json


def is_valid_token(token: str, secret: str, now: float) -> bool:
    """Tell whether this is a JSON Web Token, signed with the secret by HS256 and not expired."""
    try:
        signed, _, signature = token.rpartition(".")
        header, payload = (json.loads(_decode(part)) for part in signed.split("."))
        expected = hmac.digest(secret.encode(), signed.encode(), "sha256")
        is_signed = header["alg"] == "HS256" and hmac.compare_digest(_decode(signature), expected)
        return is_signed and float(payload.get("exp", now + 1)) > now
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _decode(part: str) -> bytes:
    """Return the bytes of one part of a token."""
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
