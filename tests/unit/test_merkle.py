"""The tree of RFC 6962, and a checkpoint as text."""

from __future__ import annotations

import hashlib

import pytest

from capture.errors import NotACheckpoint
from capture.eventlog.merkle import MerkleTree
from capture.eventlog.tree_head import TreeHead, read_tree_head

# The vectors of the authors' reference implementation (google/certificate-transparency, merkle_tree_test).
LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

HEAD = TreeHead("copydesk/0b", 7, bytes(range(32)))


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 writes it: split at the largest power of two below the size."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def test_the_roots_are_those_of_the_reference_implementation() -> None:
    """A tree that grows leaf by leaf has the published root at every size."""
    tree = MerkleTree()
    roots = [tree.root().hex()]
    for leaf in LEAVES:
        tree.append(bytes.fromhex(leaf))
        roots.append(tree.root().hex())
    assert tuple(roots) == ROOTS


def test_the_roots_are_those_of_the_definition() -> None:
    """At every size up to 130 the root is what the recursive definition gives."""
    tree, leaves = MerkleTree(), [b"%d" % number for number in range(130)]
    for size in range(len(leaves)):
        assert tree.root() == by_definition(leaves[:size])
        tree.append(leaves[size])


def test_a_tree_keeps_a_hash_a_level() -> None:
    """A tree of 10,000 leaves keeps at most 14 hashes."""
    tree = MerkleTree()
    for number in range(10_000):
        tree.append(b"%d" % number)
        assert len(tree._peaks) <= 14


def test_a_checkpoint_comes_back() -> None:
    """What is printed is read back, also with further lines and with signatures behind it."""
    body = HEAD.body()
    assert body.splitlines() == ["copydesk/0b", "7", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    assert read_tree_head(body, "f") == HEAD
    assert read_tree_head(f"{body}extension\n\n\N{EM DASH} witness AAAA\n", "f") == HEAD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "copydesk/0b\n7\n",
        "copydesk/0b\n07\n" + HEAD.root_text,
        "copydesk/0b\n-7\n" + HEAD.root_text,
        "copydesk/0b\n7\n" + HEAD.root_text[:-4],
        "copydesk/0b\n7\n!" + HEAD.root_text,
        HEAD.body() + "\nno signature\n",
        HEAD.body() + "\n",
        '{"origin": "copydesk/0b"}',
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """A text that is no checkpoint is an error that says what was expected, and what to give instead."""
    with pytest.raises(NotACheckpoint, match="expected") as refused:
        read_tree_head(text, "file.txt")
    assert "copydesk db checkpoint" in refused.value.hint
