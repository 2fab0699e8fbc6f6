"""The bucket's bootstrap against a real S3 server, which knows neither versions nor lifecycles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from minio.error import S3Error
from urllib3 import HTTPResponse

from infra.cluster import bucket
from tasks.errors import BacksightError, UsageError
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


@pytest.mark.parametrize(
    ("code", "said"), [("AccessDenied", "left to the bucket's owner"), ("NotImplemented", "this server has none")]
)
def test_a_rule_that_is_not_ours_to_set_is_left(store_settings: StoreSettings, code: str, said: str) -> None:
    assert said in bucket.attempt(refusing(code), Bucket(store_settings))


def test_any_other_refusal_is_an_error(store_settings: StoreSettings) -> None:
    with pytest.raises(BacksightError, match="refused a rule"):
        bucket.attempt(refusing("MalformedXML"), Bucket(store_settings))


def refusing(code: str) -> Callable[[Bucket], None]:
    """A rule that the server refuses with a code."""

    def apply(_: Bucket) -> None:
        raise S3Error(HTTPResponse(), code, "refused", "/", "id", "host")

    return apply


def test_wrong_keys_are_not_waited_for(store_settings: StoreSettings) -> None:
    wrong = store_settings.model_copy(update={"access_key": "nobody"})
    with pytest.raises(UsageError):
        bucket.created_within(Bucket(wrong), patience=60)
