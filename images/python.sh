#!/bin/sh
# The build stage: /opt/backsight with an image's locked packages, then Backsight itself where its sources are wanted.
# Usage: python.sh IMAGE [--with-backsight]; /build/extra may hold ca.pem, pip.conf and wheels/.
set -eu
image=$1
export DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
apt-get update -qq
apt-get install -qq -y --no-install-recommends ca-certificates python3 python3-venv > /dev/null
extra=/build/extra
if [ -f "$extra/ca.pem" ]; then
    export PIP_CERT="$extra/ca.pem" SSL_CERT_FILE="$extra/ca.pem"
fi
if [ -f "$extra/pip.conf" ]; then
    export PIP_CONFIG_FILE="$extra/pip.conf"
fi
if [ -d "$extra/wheels" ]; then
    export PIP_FIND_LINKS="$extra/wheels"
fi
python3 -m venv /opt/backsight
pip="/opt/backsight/bin/python -m pip --quiet"
if [ -n "${TORCH:-}" ]; then
    # Alone and first: a folder of wheels or an index may hold a build for the CPU, which the others then accept.
    $pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$TORCH"
fi
grep -vE "${SKIP:-^$}" "/build/images/$image/requirements.txt" > /tmp/requirements.txt
$pip install --no-deps -r /tmp/requirements.txt
if [ "${2:-}" = --with-backsight ]; then
    $pip install --no-deps /build
fi
# What only the building needed: a pip inside a running container would be a way to bring in code.
/opt/backsight/bin/python -m pip --quiet uninstall -y pip
find /opt/backsight -type d -name __pycache__ -prune -exec rm -rf {} +
/opt/backsight/bin/python -m compileall -q -j 0 /opt/backsight/lib || true
