"""Public SSH keys of technicians, one line each as in authorized_keys, without options."""

import base64
import binascii
import re

_LINE = re.compile(r"(?P<kind>[a-z0-9@.-]+) (?P<blob>[A-Za-z0-9+/]+={0,2})(?: [ -~]*)?")
_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)


def check_ssh_key(line: str) -> str:
    """The line, if it is a public key.  Raises ValueError, which does not repeat it: it might be a private one."""
    match = _LINE.fullmatch(line)
    if match is None or match["kind"] not in _KINDS:
        raise ValueError("no public SSH key; write the one line of a file like id_ed25519.pub")
    try:
        blob = base64.b64decode(match["blob"], validate=True)
    except binascii.Error:
        blob = b""
    size = int.from_bytes(blob[:4])
    if blob[4 : 4 + size] != match["kind"].encode() or len(blob) < 4 + size + 32:
        raise ValueError(f"the {match['kind']} key is cut or damaged; copy the whole line of the .pub file again")
    return line
