"""Authentication: the access token, and the login cookies issued for it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from ipaddress import ip_address
from time import monotonic, time

DAYS = 30  # lifetime of a cookie
_WRONG = 10  # failed attempts allowed for one address
_WINDOW = 600.0  # seconds over which they are counted
_MOST = 10_000  # addresses, and revoked cookies, kept in memory


class TokenAuth:
    """Check tokens and cookies against the server's token.

    A cookie is ``expiry.nonce.mac``. The key of the MAC is derived from the token alone, and nothing is
    stored. So visitors stay logged in when the server restarts with the same token, and a new token logs all
    of them out. An attacker with a stolen cookie could test tokens against it: scrypt makes each guess cost
    50 ms.
    """

    def __init__(self, token: str) -> None:
        self._token = _digest(token)
        self._key = hashlib.scrypt(token.encode(), salt=b"twobranch cookies 1", n=2**14, r=8, p=1, dklen=32)
        # Cookies ignore ports: with one name, two servers on a machine would overwrite each other's cookies.
        self.cookie = f"twobranch-{hashlib.sha256(self._key).hexdigest()[:8]}"
        self.failures = FailedAttempts()
        self._revoked: OrderedDict[str, None] = OrderedDict()

    def knows(self, token: str) -> bool:
        """Return True if this is the token, in constant time."""
        return hmac.compare_digest(_digest(token), self._token)

    def issue(self) -> str:
        """Return a new cookie."""
        content = f"{int(time()) + DAYS * 86_400:x}.{secrets.token_hex(16)}"
        return f"{content}.{self._mac(content)}"

    def accepts(self, cookie: str) -> bool:
        """Return True for a cookie of this token that is still valid."""
        content, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(content).encode()):
            return False
        return int(content.partition(".")[0], 16) > time() and cookie not in self._revoked

    def revoke(self, cookie: str) -> None:
        """Reject a cookie from now on, until the server restarts."""
        if self.accepts(cookie):
            self._revoked[cookie] = None
            if len(self._revoked) > _MOST:
                self._revoked.popitem(last=False)

    def _mac(self, content: str) -> str:
        return hmac.new(self._key, content.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


class FailedAttempts:
    """Count of wrong tokens for each client address.

    After ``_WRONG`` of them within ``_WINDOW`` seconds, tokens from that address are refused unchecked.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, start of the window

    def allow(self, client: str) -> bool:
        """Return True if this address may try a token."""
        n, since = self._failures.get(_network(client), (0, 0.0))
        return n < _WRONG or monotonic() - since > _WINDOW

    def add(self, client: str) -> None:
        """Record a wrong token from this address."""
        network, now = _network(client), monotonic()
        n, since = self._failures.pop(network, (0, now))
        self._failures[network] = (n + 1, since) if now - since <= _WINDOW else (1, now)
        if len(self._failures) > _MOST:
            self._failures.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _network(client: str) -> str:
    """Return the network that failures of this address count for.

    For IPv4 it is the address. For IPv6 it is the first 64 bits: a household can choose the other 64 freely.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return client if address.version == 4 else address.exploded[:19]
