"""The Merkle tree of RFC 6962, section 2.1, grown a leaf at a time: what it keeps is one hash a level."""

from __future__ import annotations

import hashlib

EMPTY = hashlib.sha256().digest()
"""The root of a tree without a leaf: "the hash of an empty list is the hash of an empty string"."""


class MerkleTree:
    """A tree that only grows.

    Attributes:
        size: How many leaves it has.
    """

    def __init__(self) -> None:
        self.size = 0
        # The roots of the full subtrees that the tree is made of, the largest first: one for each 1 bit of the size.
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf: MTH({d(0)}) = SHA-256(0x00 || d(0))."""
        found = hashlib.sha256(b"\0" + leaf).digest()
        size = self.size
        while size & 1:
            found = _node(self._peaks.pop(), found)
            size >>= 1
        self._peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far, 32 bytes."""
        if not self._peaks:
            return EMPTY
        *others, root = self._peaks
        for peak in reversed(others):
            root = _node(peak, root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
