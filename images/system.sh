#!/bin/sh
# Debian packages for an image's last stage, and the user 10001 as whom everything runs. Usage: system.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends tini ca-certificates python3 "$@" > /dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
groupadd --gid 10001 backsight
useradd --uid 10001 --gid 10001 --home-dir /home/backsight --create-home --shell /usr/sbin/nologin backsight
