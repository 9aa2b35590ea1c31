"""Takes secrets out of free text.  The second net: what has a schema is redacted by it (`meteredge.privacy`).

Taken out are the values that this node knows to be hidden (in every spelling that a log could have), and whatever looks
like a secret: paths and queries of URLs (they hold the keys of RPC providers), values behind words like password, long
runs of hexadecimal digits or base58, arrays of key bytes.  It is better to lose a signature than to keep a key.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from meterchain import base58
from meteredge.config import AgentConfig
from meteredge.privacy import hidden_values

NOT_SHOWN = "(not shown)"
LEAST_CHARACTERS = 6
"""Shorter pieces of an address are words of the language."""
_SEED_BYTES = 32

_URL = re.compile(r"\b(https?|wss?|mqtts?)://(?:[^\s/@\"']*@)?([^\s/?#\"'<>]+)([/?#][^\s\"'<>)]*)?")
_NAMED = re.compile(
    r"(?i)\b([\w.-]*(?:psk|passwo?r?d|passphrase|secret|token|api[-_ ]?key|private[-_ ]?key|seed|authorization))"
    r"(\"?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|(?:bearer\s+|basic\s+)?[^\s,;]+)"
)
_LOOKS_SECRET = re.compile(
    r"\b[0-9a-fA-F]{64,}\b"  # a seed, a PSK, a digest
    r"|\b[1-9A-HJ-NP-Za-km-z]{80,90}\b"  # a key pair (or a signature) in base58
    r"|\[\s*\d{1,3}(?:\s*,\s*\d{1,3}){31,63}\s*\]"  # key bytes as solana-keygen writes them
    r"|\b[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])"  # 32 bytes in base64
    r"|\b[A-Za-z0-9+/]{86}=="  # 64 bytes in base64
)


class Scrubber:
    """Knows what must not be seen."""

    def __init__(self, hidden: Iterable[str]) -> None:
        self._known = sorted({text for text in hidden if len(text) >= LEAST_CHARACTERS}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for known in self._known:
            text = text.replace(known, NOT_SHOWN)
        text = _URL.sub(_host_alone, text)
        text = _NAMED.sub(rf"\1\2{NOT_SHOWN}", text)
        return _LOOKS_SECRET.sub(NOT_SHOWN, text)

    def document(self, value: Any) -> Any:  # noqa: ANN401
        """The same for every text of a document, its keys too: so it stays one."""
        match value:
            case str():
                return self(value)
            case Mapping():
                return {self(str(key)): self.document(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.document(inner) for inner in value]
            case _:
                return value


def scrubber_of(config: AgentConfig) -> Scrubber:
    """For everything that this node could say: its configuration's hidden values, its key, its wallet."""
    hidden = [piece for value in hidden_values(config) for piece in _pieces(value)]
    for path in _key_files(config):
        try:
            content = path.read_bytes()
        except OSError:
            continue  # what we may not read, we cannot print either
        hidden += _spellings(content)
    return Scrubber(hidden)


def _key_files(config: AgentConfig) -> Iterator[Path]:
    yield Path(config.chain.relayer)
    for one in config.each():
        if one.key.file is not None:
            yield Path(one.key.file)


def _pieces(value: str) -> Iterator[str]:
    """A hidden value, and what of an address could stand alone: path, queries, user and password."""
    yield value
    parts = urlsplit(value)
    if parts.scheme and parts.hostname:
        alone = [parts.path, *parts.path.split("/"), parts.query, parts.username, parts.password]
        for piece in (*alone, *(text for _, text in parse_qsl(parts.query))):
            if piece:
                yield from {piece, unquote(piece)}


def _spellings(content: bytes) -> Iterator[str]:
    """Key bytes in each way in which they could stand in a text."""
    try:
        numbers = json.loads(content)
        raw = bytes(numbers)
    except (ValueError, TypeError):
        raw = content
    for part in {raw, raw[:_SEED_BYTES]}:
        yield from (part.hex(), part.hex().upper(), part.hex(" "), base58.encode(part), repr(part)[2:-1])
        yield from (base64.b64encode(part).decode(), base64.urlsafe_b64encode(part).decode())
        yield from (json.dumps(list(part))[1:-1], ",".join(map(str, part)))


def _host_alone(match: re.Match[str]) -> str:
    scheme, host, rest = match.groups()
    return f"{scheme}://{host}" + (f"/{NOT_SHOWN}" if rest and rest != "/" else "")
