"""Which requests the page's server answers: those of its own page, and of nobody else's."""

import ipaddress
from email.message import Message
from urllib.parse import urlsplit

__all__ = ["HEADERS", "UPLOAD_TYPE", "refusal"]

UPLOAD_TYPE = "application/octet-stream"
"""Of an upload's body: a type that no form can send, and no other page without asking first."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Sent with every answer: the page loads nothing from elsewhere, and nobody else may load or frame it."""


def refusal(headers: Message, *, host: str, uploading: bool) -> str | None:
    """Why a request is refused; None where it is not.

    A page elsewhere can make a browser send requests here. Under another name of this machine (DNS rebinding) the Host
    header tells; across origins the Origin header does.

    Args:
        headers: of the request.
        host: what the server was bound to, as the user named it.
        uploading: whether it sends a clip, which a browser sends with its origin.
    """
    asked = headers.get("Host", "")
    if not _is_ours(asked, host):
        return f"Host {asked!r} is no address of this server: open the address that edge-aver printed"
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin"):
        return f"the request comes from another page ({site})"
    origin = headers.get("Origin")
    if uploading and origin is None:
        return "an upload without an Origin header: send clips from the page"
    if origin is not None and urlsplit(origin).netloc != asked:
        return f"the request comes from another page ({origin})"
    return None


def _is_ours(asked: str, host: str) -> bool:
    """An IP address, which no name server can have made up, or a name that the user knows this machine by."""
    try:
        name = urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", host.lower()):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
