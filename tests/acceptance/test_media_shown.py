"""Media are hashed again whenever an output is shown to somebody who decides on it."""

from __future__ import annotations

from capture import Settings, attach
from tests.acceptance.conftest import Copydesk, draft


def test_missing_and_altered_media_are_told_when_an_output_is_shown(copydesk: Copydesk) -> None:
    """`review show` warns of bytes that are not those of the digest, and the output is not sent with them."""
    folder = copydesk.folder / "foundup.media"
    media = attach(b"a picture", "image/png", settings=Settings.from_environment({"COPYDESK_MEDIA": str(folder)}))
    copydesk.import_events(draft(media=[media.model_dump(mode="json", exclude_none=True)]))
    shown = copydesk("review", "show", "o1", "--json").object
    assert shown["missing_media"] == []
    assert "MEDIA" not in copydesk("review", "show", "o1").out
    assert copydesk("review", "approve", "o1", "--hash", shown["content_hash"]).code == 0
    for spoil in (lambda path: path.write_bytes(b"another picture"), lambda path: path.unlink()):
        spoil(folder / media.sha256[:2] / media.sha256)
        assert copydesk("review", "show", "o1", "--json").object["missing_media"] == [media.sha256]
        assert "missing or altered" in copydesk("review", "show", "o1").out
        once = copydesk("publish", "once", "--json")
        assert (once.code, once.object["outputs"][0]["code"]) == (4, "MEDIA")
    attach(b"a picture", "image/png", settings=Settings.from_environment({"COPYDESK_MEDIA": str(folder)}))
    assert copydesk("publish", "once", "--json").object["published"] == 1
