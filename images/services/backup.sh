#!/bin/sh
# Dumps of the databases in the S3 bucket: backup dump | list | restore DATABASE NAME.
# PGHOST, PREFECT_PASSWORD, MLFLOW_PASSWORD; BACKSIGHT_S3_*. A dump is uploaded under another name until it is whole.
set -eu

export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_FORCE_PATH_STYLE=true
export RCLONE_CONFIG_S3_ACCESS_KEY_ID="$BACKSIGHT_S3_ACCESS_KEY"
export RCLONE_CONFIG_S3_SECRET_ACCESS_KEY="$BACKSIGHT_S3_SECRET_KEY"
scheme=http
[ "${BACKSIGHT_S3_SECURE:-false}" = true ] && scheme=https
export RCLONE_CONFIG_S3_ENDPOINT="$scheme://$BACKSIGHT_S3_ENDPOINT"
place="s3:$BACKSIGHT_S3_BUCKET/backups"
keep=${BACKUP_KEEP_DAYS:-14}
tmp=${TMPDIR:-/tmp}

password_of() {
    printenv "$(echo "$1" | tr a-z A-Z)_PASSWORD"
}

dump() {
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    for name in prefect mlflow; do
        PGPASSWORD=$(password_of $name) pg_dump --username $name --format custom --file "$tmp/$name.dump" $name
        pg_restore --list "$tmp/$name.dump" > /dev/null  # a dump that cannot be read is found now, not in the disaster
        rclone copyto "$tmp/$name.dump" "$place/$name/$stamp.dump"
        echo "$name: $(wc -c < "$tmp/$name.dump") bytes in backups/$name/$stamp.dump"
        rm "$tmp/$name.dump"
    done
    rclone delete --min-age "${keep}d" "$place"
}

restore() {
    name=$1
    rclone copyto "$place/$name/$2" "$tmp/$name.dump"
    # Extensions belong to the superuser, who made them with the database: its owner may not make them anew.
    pg_restore --list "$tmp/$name.dump" | grep -v ' EXTENSION ' > "$tmp/$name.list"
    PGPASSWORD=$(password_of "$name") pg_restore --username "$name" --dbname "$name" --clean --if-exists \
        --no-owner --single-transaction --exit-on-error --use-list "$tmp/$name.list" "$tmp/$name.dump"
    rm "$tmp/$name.dump" "$tmp/$name.list"
    echo "$name: restored from $2"
}

case "${1:-}" in
    dump) dump ;;
    list) rclone lsf --recursive --files-only "$place" ;;
    restore) restore "${2:?which database: prefect or mlflow}" "${3:?which dump: see backup list}" ;;
    *)
        echo "usage: backup dump | list | restore prefect|mlflow STAMP.dump" >&2
        exit 2
        ;;
esac
