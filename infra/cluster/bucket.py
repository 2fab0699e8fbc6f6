"""`python -m infra.cluster.bucket`: the artefact store's bucket with its rules, made or brought up to date.

What a server cannot do is said and left: the store finds out by itself how to guard its refs there. So is what these
keys may not set: a bucket of infra/terraform has its rules from there, and the platform's keys no right to change them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tasks.errors import BacksightError, UsageError
from tasks.settings import StoreSettings
from tasks.store.bucket import Bucket

ABORT_AFTER_DAYS = 7
"""Parts of an upload whose writer was killed are removed after so long; nothing else would ever remove them."""
KEEP_OVERWRITTEN_DAYS = 30
"""How long a ref's former values can be brought back, where the server keeps versions."""
PATIENCE = 600.0
HAVE_NONE = ("NotImplemented", "MethodNotAllowed", "BucketAlreadyExists")
"""What servers answer to rules that they do not know; rclone takes a lifecycle for one more bucket of this name."""


def main() -> None:
    """Set the bucket up, and say what was done."""
    settings = StoreSettings.load()
    bucket = Bucket(settings)
    created_within(bucket, PATIENCE)
    print(f"bucket {settings.bucket} at {settings.endpoint}: there")
    for name, apply in (("versioning", keep_versions), ("lifecycle", set_lifecycle)):
        print(f"{name}: {attempt(apply, bucket)}")


def created_within(bucket: Bucket, patience: float) -> None:
    """Make the bucket, as soon as the server answers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return bucket.create()
        except UsageError:
            raise  # wrong keys do not become right by waiting
        except BacksightError as error:
            if time.monotonic() > deadline:
                raise
            print(f"waiting: {error}", flush=True)
        time.sleep(5)


def attempt(apply: Callable[[Bucket], None], bucket: Bucket) -> str:
    """What came of a rule: `set`, or the server's own word for that it has no such thing or does not let us set it."""
    from minio.error import S3Error

    try:
        apply(bucket)
    except S3Error as error:
        if error.code == "AccessDenied":
            return "left to the bucket's owner: these keys may not set it (AccessDenied)"
        if error.code not in HAVE_NONE:
            raise BacksightError(f"The S3 server refused a rule of bucket {bucket.name}: {error.message}.") from error
        return f"this server has none ({error.code})"
    return "set"


def keep_versions(bucket: Bucket) -> None:
    """Let the bucket keep overwritten and deleted objects."""
    from minio.commonconfig import ENABLED
    from minio.versioningconfig import VersioningConfig

    bucket.client.set_bucket_versioning(bucket.name, VersioningConfig(ENABLED))


def set_lifecycle(bucket: Bucket) -> None:
    """Remove uploads that nobody ends, and versions that nobody will ask for."""
    from minio.commonconfig import ENABLED, Filter
    from minio.lifecycleconfig import (
        AbortIncompleteMultipartUpload,
        LifecycleConfig,
        NoncurrentVersionExpiration,
        Rule,
    )

    everything = Filter(prefix="")
    rules = [
        Rule(
            status=ENABLED,
            rule_filter=everything,
            rule_id="abort-incomplete-uploads",
            abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(days_after_initiation=ABORT_AFTER_DAYS),
        ),
        Rule(
            status=ENABLED,
            rule_filter=everything,
            rule_id="forget-overwritten",
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=KEEP_OVERWRITTEN_DAYS),
        ),
    ]
    bucket.client.set_bucket_lifecycle(bucket.name, LifecycleConfig(rules))


if __name__ == "__main__":
    try:
        main()
    except BacksightError as error:
        sys.exit(f"error: {error}")
