"""Why a PostgreSQL does not let a client in, or does not do what it asks, and what to do about it."""

import ssl
from typing import Final

_NAME_MISMATCH: Final = {62, 64}
"""OpenSSL's numbers for a certificate of another host, and of another address."""

_NO_TLS = "rejected SSL upgrade"
_ONLY_TLS = "no encryption"
_PASSWORD = "28P01"  # noqa: S105 - an SQLSTATE
_IN_THE_WAY = {"55P03", "40P01"}
_NO_RIGHT = "42501"


def advice_on(error: BaseException) -> str | None:
    """What to do about an error that came of connecting or of preparing the database; None where nothing is known."""
    cause = getattr(error, "orig", None) or error
    cause = getattr(cause, "__cause__", None) or cause
    match cause:
        case ssl.SSLCertVerificationError(verify_code=code) if code in _NAME_MISMATCH:
            return "its certificate is of another name: the URL has to name the server as its certificate does"
        case ssl.SSLCertVerificationError(verify_message=message):
            return f"its certificate is not to be trusted ({message}): BILLING_DATABASE__CA_FILE says whom to trust"
        case ssl.SSLError():
            return "the TLS handshake does not succeed: does it want a certificate, BILLING_DATABASE__CERTIFICATE_FILE?"
        case ConnectionError() if _NO_TLS in str(cause):
            return "it speaks no TLS: turn it on there (ssl = on)"
        case _ if _ONLY_TLS in str(cause):
            return "it wants TLS, perhaps: BILLING_DATABASE__TLS=verify-full speaks it"
        case _ if getattr(cause, "sqlstate", None) == _PASSWORD:
            return "the password is in the URL, or in the file that BILLING_DATABASE__PASSWORD_FILE names"
        case _ if getattr(cause, "sqlstate", None) == _NO_RIGHT and "role" in str(cause):
            return "it makes and alters the role of the workers, and needs CREATEROLE for it"
        case _ if getattr(cause, "sqlstate", None) in _IN_THE_WAY:
            return (
                "somebody else has locked what is needed: nothing was changed. Look for a transaction that has been "
                "open for long (xact_start in pg_stat_activity), have it ended, then try again"
            )
        case _:
            return None
