"""The token that lets visitors in, and the cookies that stand for it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from ipaddress import ip_address
from time import monotonic, time

DAYS = 30  # that a cookie holds
_WRONG = 10  # tries of one address
_WINDOW = 600.0  # in so many seconds
_MOST = 10_000  # addresses, and cookies that were logged out, that are remembered


class Keeper:
    """Knows the token.

    A cookie is ``expiry.nonce.mac``. The key of the mac is made of the token alone, so that visitors stay
    logged in when the server is started again with the same token, and all are logged out by another token;
    nothing is stored. Whoever steals a cookie could try tokens against it: scrypt makes each try cost 50 ms.
    """

    def __init__(self, token: str) -> None:
        self._token = _digest(token)
        self._key = hashlib.scrypt(token.encode(), salt=b"twobranch cookies 1", n=2**14, r=8, p=1, dklen=32)
        # Cookies do not know ports: two servers on one machine must not log each other's visitors out.
        self.cookie = f"twobranch-{hashlib.sha256(self._key).hexdigest()[:8]}"
        self.tries = Tries()
        self._revoked: OrderedDict[str, None] = OrderedDict()

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for any that is not."""
        return hmac.compare_digest(_digest(token), self._token)

    def issue(self) -> str:
        """A new cookie."""
        content = f"{int(time()) + DAYS * 86_400:x}.{secrets.token_hex(16)}"
        return f"{content}.{self._mac(content)}"

    def accepts(self, cookie: str) -> bool:
        """Whether a cookie was issued for this token, and holds."""
        content, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(content).encode()):
            return False
        return int(content.partition(".")[0], 16) > time() and cookie not in self._revoked

    def revoke(self, cookie: str) -> None:
        """Logs a cookie out, until the server is started again."""
        if self.accepts(cookie):
            self._revoked[cookie] = None
            if len(self._revoked) > _MOST:
                self._revoked.popitem(last=False)

    def _mac(self, content: str) -> str:
        return hmac.new(self._key, content.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


class Tries:
    """Wrong tokens by address: after ``_WRONG`` of them no token is looked at for a while."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and since when

    def may(self, client: str) -> bool:
        """Whether this address may try a token."""
        n, since = self._tries.get(_network(client), (0, 0.0))
        return n < _WRONG or monotonic() - since > _WINDOW

    def wrong(self, client: str) -> None:
        """This address has tried a wrong one."""
        network, now = _network(client), monotonic()
        n, since = self._tries.pop(network, (0, now))
        self._tries[network] = (n + 1, since) if now - since <= _WINDOW else (1, now)
        if len(self._tries) > _MOST:
            self._tries.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _network(client: str) -> str:
    """The address; of IPv6 the half that a household has, as it may take any number of the other half."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return client if address.version == 4 else address.exploded[:19]
