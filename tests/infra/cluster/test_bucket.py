"""The bucket's bootstrap against a real S3 server, which knows neither versions nor lifecycles."""

from __future__ import annotations

import pytest

from infra.cluster import bucket
from tasks.errors import UsageError
from tasks.settings import StoreSettings
from tasks.store.bucket import Bucket


def test_a_new_bucket_is_made_and_what_the_server_lacks_is_said(
    store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKSIGHT_S3_BUCKET", "made-by-bootstrap")
    for _ in range(2):
        bucket.main()
    said = capsys.readouterr().out
    assert "bucket made-by-bootstrap" in said
    assert said.count("this server has none") == 4
    assert Bucket(StoreSettings.load()).client.bucket_exists("made-by-bootstrap")


def test_wrong_keys_are_not_waited_for(store_settings: StoreSettings) -> None:
    wrong = store_settings.model_copy(update={"access_key": "nobody"})
    with pytest.raises(UsageError):
        bucket.created_within(Bucket(wrong), patience=60)
