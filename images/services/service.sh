#!/bin/sh
# One of the platform's services: service postgres | redis | s3 | mlflow | mlflow-migrate | health.
# Settings come from the environment and secrets stay there: a command line can be read by every process.
set -eu

role_file=/tmp/backsight-service

postgres_start() {
    # POSTGRES_PASSWORD (superuser), PREFECT_PASSWORD, MLFLOW_PASSWORD; PGDATA below a volume; sockets under /tmp.
    : "${PGDATA:=/data/postgres}"
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        rm -rf "$PGDATA" "$PGDATA.new"
        mkdir -p -m 700 "$PGDATA.new"
        printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
        initdb --pgdata "$PGDATA.new" --username postgres --pwfile /tmp/password --encoding utf8 --locale C.UTF-8 \
            --auth-host scram-sha-256 --auth-local trust > /dev/null
        rm /tmp/password
        echo "host all all all scram-sha-256" >> "$PGDATA.new/pg_hba.conf"
        mv "$PGDATA.new" "$PGDATA"
    fi
    rm -f "$PGDATA/postmaster.pid"
    # Without TCP first, so that nobody meets a server whose databases are not there yet.
    export PGCTLTIMEOUT=900  # after a crash it replays its log first; pg_ctl would give up after a minute, each time
    pg_ctl --pgdata "$PGDATA" --silent --wait --options "-c listen_addresses= -c unix_socket_directories=/tmp" start
    for name in prefect mlflow; do
        password=$(printenv "$(echo $name | tr a-z A-Z)_PASSWORD")
        psql --host /tmp --username postgres --quiet --no-psqlrc --set ON_ERROR_STOP=1 \
            --set name="$name" --set password="$password" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
    done
    psql --host /tmp --username postgres --quiet --dbname prefect --command "CREATE EXTENSION IF NOT EXISTS pg_trgm"
    pg_ctl --pgdata "$PGDATA" --silent --wait --mode fast stop
    postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp \
        -c max_connections="${POSTGRES_CONNECTIONS:-200}" -c shared_buffers="${POSTGRES_BUFFERS:-256MB}" \
        -c wal_compression=on -c log_min_duration_statement=2000 &
    server=$!
    # To SIGTERM Postgres would wait until its clients leave, which never do, and be killed in the end.
    trap 'kill -INT "$server"' TERM
    code=0
    wait "$server" || code=$?
    if kill -0 "$server" 2> /dev/null; then # it was the trap that ended the waiting
        code=0
        wait "$server" || code=$?
    fi
    exit "$code"
}

redis_start() {
    # REDIS_PASSWORD; data below /data.
    mkdir -p /data/redis
    printf '%s\n' "requirepass $REDIS_PASSWORD" "bind * -::*" "port 6379" "dir /data/redis" "appendonly yes" \
        "appendfsync everysec" "maxmemory ${REDIS_MEMORY:-256mb}" "maxmemory-policy noeviction" \
        'save ""' > /tmp/redis.conf
    exec redis-server /tmp/redis.conf
}

s3_start() {
    # BACKSIGHT_S3_ACCESS_KEY, BACKSIGHT_S3_SECRET_KEY; a bucket is a folder below /data/s3.
    mkdir -p /data/s3
    RCLONE_AUTH_KEY="\"$BACKSIGHT_S3_ACCESS_KEY,$BACKSIGHT_S3_SECRET_KEY\""
    export RCLONE_AUTH_KEY
    unset BACKSIGHT_S3_ACCESS_KEY BACKSIGHT_S3_SECRET_KEY
    exec rclone serve s3 /data/s3 --addr :9000 --config "" --cache-dir /tmp/rclone
}

mlflow_start() {
    # MLFLOW_BACKEND_STORE_URI, MLFLOW_ARTIFACTS_DESTINATION, MLFLOW_ALLOWED_HOSTS.
    export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false  # 700 MB of job workers that nothing here uses
    exec mlflow server --host 0.0.0.0 --port 5000 --workers "${MLFLOW_WORKERS:-1}" \
        --artifacts-destination "$MLFLOW_ARTIFACTS_DESTINATION" --allowed-hosts "$MLFLOW_ALLOWED_HOSTS"
}

mlflow_migrate() {
    # A database of an earlier version is brought up to this one's; an empty one MLflow fills at its first start.
    exec python - <<'PYTHON'
import os

import sqlalchemy
from mlflow.store.db.utils import _upgrade_db

engine = sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"])
if sqlalchemy.inspect(engine).has_table("alembic_version"):
    _upgrade_db(engine)
PYTHON
}

health() {
    case "$(cat $role_file)" in
        postgres) pg_isready --quiet --host 127.0.0.1 --dbname prefect ;;
        # The answer to who has no password: it lives.
        redis) redis-cli -h 127.0.0.1 ping | grep -qE 'PONG|NOAUTH' ;;
        s3) python3 -c 'import socket; socket.create_connection(("127.0.0.1", 9000), 3).close()' ;;
        mlflow) python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:5000/health", timeout=4).close()' ;;
    esac
}

role=${1:-help}
case "$role" in
    health) health ;;
    postgres | redis | s3 | mlflow)
        echo "$role" > $role_file
        "${role}_start"
        ;;
    mlflow-migrate) mlflow_migrate ;;
    *)
        echo "usage: service postgres | redis | s3 | mlflow | mlflow-migrate | health" >&2
        exit 2
        ;;
esac
