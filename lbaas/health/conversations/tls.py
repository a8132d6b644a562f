"""TLS around another conversation.

The certificate is not verified: a check asks whether the member answers, and not who it is. It speaks to an
address that the operator allowed, and sends nothing secret.
"""

import ssl
from functools import cache

from lbaas.health.conversations.conversation import LISTENING, Conversation, Reply, failed

_LARGEST_RECORD = 16 * 1024


class Tls:
    """*inner*, said within TLS. *server_name* goes along as SNI."""

    def __init__(self, inner: Conversation, server_name: str | None) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._established = False

    def open(self) -> bytes:
        """The client's hello."""
        self._shake()
        return self._outgoing.read()

    def hear(self, said: bytes) -> Reply:
        """What *inner* replies, once the handshake is done."""
        if said:
            self._incoming.write(said)
        else:
            self._incoming.write_eof()
        try:
            if not self._established and not self._shake():
                return Reply(send=self._outgoing.read())
            reply = self._listen()
        except ssl.SSLError as error:
            return failed(f"TLS: {error.reason or error}")
        return Reply(self._outgoing.read(), reply.result)

    def _shake(self) -> bool:
        """True once both sides are agreed; *inner* has then spoken first."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self._established = True
        self._tls.write(self._inner.open())
        return True

    def _listen(self) -> Reply:
        while True:
            try:
                said = self._tls.read(_LARGEST_RECORD)
            except ssl.SSLWantReadError:
                return LISTENING
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                said = b""
            reply = self._inner.hear(said)
            if reply.result is not None or not said:
                return reply
            self._tls.write(reply.send)


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
