"""The stack's small parts: ports, state, credentials, layout, and what each service needs before its start."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local import layout as layouts
from infra.local import postgres, s3_server
from infra.local.credentials import S3Keys, keys_of, read_env, write_env
from infra.local.layout import Layout
from infra.local.logs import last_lines
from infra.local.planning import SERVICES, WANTED_PORTS, settings_of
from infra.local.ports import is_free, next_free
from infra.local.service import StackPlan
from infra.local.state import Record, State, read_records
from infra.local.temporary import claim, folder_in_temporary
from tasks.errors import BacksightError, DataError, UsageError
from tasks.settings import STACK_ENV, PlatformSettings, StoreSettings


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        assert not is_free(taken)
        found = next_free(taken)
        assert found > taken
        assert next_free(taken, promised=[found]) > found


def test_a_listener_on_all_addresses_counts_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        assert not is_free(stranger.getsockname()[1])


@given(
    st.dictionaries(
        st.sampled_from(sorted(SERVICES)),
        st.builds(
            Record,
            st.integers(1),
            st.floats(0, 1e10),
            st.none() | st.integers(1, 65535),
            st.text("abcdef0123456789", max_size=64),
        ),
    )
)
def test_state_reads_back_what_was_put(tmp_path_factory: pytest.TempPathFactory, records: dict[str, Record]) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    state = State(path)
    for name, record in records.items():
        state.put(name, record)
    assert read_records(path) == records


@pytest.mark.parametrize("text", ["", "{", "[]", '{"services": {"s3": {"pid": 1}}}'])
def test_a_broken_state_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{path} cannot be read"):
        State(path)


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    keys = keys_of(path)
    assert keys != keys_of(path)
    write_env(path, {"BACKSIGHT_S3_ACCESS_KEY": keys.access, "BACKSIGHT_S3_SECRET_KEY": keys.secret})
    assert keys_of(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.secret not in repr(keys)


def test_an_unchanged_settings_file_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "stack.env"
    write_env(path, {"A": "1"})
    before = path.stat().st_ino
    write_env(path, {"A": "1"})
    assert path.stat().st_ino == before
    write_env(path, {"A": "2"})
    assert read_env(path) == {"A": "2"}


def test_what_up_writes_is_what_the_tasks_read(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BACKSIGHT_S3_")]:
        monkeypatch.delenv(name)
    home.mkdir()
    keys = S3Keys("access", "secret")
    write_env(home / STACK_ENV, settings_of(StackPlan(Layout(home), WANTED_PORTS, keys)))
    store, platform = StoreSettings.load(), PlatformSettings.load()
    assert (store.endpoint, store.access_key, store.secret_key.get_secret_value()) == (
        "127.0.0.1:9000",
        "access",
        "secret",
    )
    assert (store.bucket, store.secure) == (s3_server.BUCKET, False)
    assert platform.prefect_api_url == "http://127.0.0.1:4200/api"
    assert platform.mlflow_tracking_uri == "http://127.0.0.1:5000"


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Layout(tmp_path / "file" / "home").create()


def test_a_full_disk_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40 - 2**20, 2**20))
    with pytest.raises(BacksightError, match="Only 1 MB are free on the disk that holds"):
        Layout(tmp_path / "home").create()
    assert layouts.ROOM_NEEDED > 2**20


def test_a_long_home_gets_a_short_socket(tmp_path: Path) -> None:
    assert postgres.socket_folder(Path("/short")) == Path("/short")
    long = tmp_path / ("deep" * 30)
    short = postgres.socket_folder(long)
    assert len(os.fsencode(short / postgres.SOCKET_NAME)) <= postgres.SOCKET_PATH_LIMIT
    assert postgres.socket_folder(long) == short
    assert postgres.socket_folder(long / "other") != short


def test_a_temporary_folder_laid_by_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = folder_in_temporary("worker")
    claim(folder)
    claim(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(BacksightError, match="belongs to somebody else"):
        claim(folder)


def test_a_lock_file_whose_pid_is_no_postgres_is_cleared(tmp_path: Path) -> None:
    claim = tmp_path / "postmaster.pid"
    claim.write_text(f"{os.getpid()}\n/data\n")
    postgres.clear_stale(claim)
    assert not claim.exists()
    postgres.clear_stale(claim)


def test_a_lock_file_of_a_running_postgres_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = tmp_path / "postmaster.pid"
    claim.write_text(f"{os.getpid()}\n/data\n")
    monkeypatch.setattr(psutil.Process, "name", lambda _: "postgres")
    postgres.clear_stale(claim)
    assert claim.exists()


def test_missing_rclone_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BacksightError, match="rclone, which serves S3 here, is not installed: run `make install`"):
        s3_server.rclone()


def test_services_come_after_those_that_they_need(tmp_path: Path) -> None:
    plan = StackPlan(Layout(tmp_path), WANTED_PORTS, S3Keys("access", "secret"))
    services = [build(plan) for build in SERVICES.values()]
    assert [service.name for service in services] == list(SERVICES)
    for position, service in enumerate(services):
        assert set(service.needs) <= {earlier.name for earlier in services[:position]}
        assert not any("secret" in word for word in service.command)


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert last_lines(log) == []
    log.write_text("".join(f"line {i}\n\n" for i in range(5000)))
    assert last_lines(log) == ["line 4997", "line 4998", "line 4999"]
