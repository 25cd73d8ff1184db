"""What a type checker must refuse: each line below is a mistake, and the comment is what it must say."""

from __future__ import annotations

from capture import emit, flush
from capture.vocabulary import MemoryLearned, SocialPostDrafted, content_hash

emit("a text")  # E: arg-type
emit(MemoryLearned(key="k", value=1))  # E: call-arg
emit(MemoryLearned(key="k", value=1, kind="fact"), durable="yes")  # E: arg-type
flush("soon")  # E: arg-type
content_hash(MemoryLearned(key="k", value=1, kind="fact"))  # E: arg-type
SocialPostDrafted(channel="x", identity="@acme", body="Land ahoy.", post_type="answer")  # E: arg-type
