#!/bin/sh
# The build stage of the collector with habitat-sim: a conda environment at /opt/backsight.
set -eu
export DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1
apt-get update -qq
# With the libraries of GL that its bindings are linked with, for the import below.
apt-get install -qq -y --no-install-recommends ca-certificates curl libegl1 libgl1 libopengl0 > /dev/null
extra=/build/extra
if [ -f "$extra/ca.pem" ]; then
    export CURL_CA_BUNDLE="$extra/ca.pem" SSL_CERT_FILE="$extra/ca.pem" PIP_CERT="$extra/ca.pem"
fi
if [ -f "$extra/pip.conf" ]; then
    export PIP_CONFIG_FILE="$extra/pip.conf"
fi
if [ -d "$extra/wheels" ]; then
    export PIP_FIND_LINKS="$extra/wheels"
fi
curl --fail --silent --show-error --location --output /usr/local/bin/micromamba "$MICROMAMBA"
echo "$MICROMAMBA_SHA256  /usr/local/bin/micromamba" | sha256sum --check --quiet
chmod 755 /usr/local/bin/micromamba
export MAMBA_ROOT_PREFIX=/opt/mamba
micromamba create --yes --quiet --prefix /opt/backsight --file /build/images/collector/environment.yaml pip
# Conda has brought these in the versions that habitat-sim was built against.
grep -vE '^(numpy|pillow|scipy|matplotlib|contourpy|kiwisolver|fonttools|cycler|pyparsing)==' \
    /build/images/collector/requirements.txt > /tmp/requirements.txt
/opt/backsight/bin/python -m pip install --quiet --no-deps -r /tmp/requirements.txt
/opt/backsight/bin/python -m pip install --quiet --no-deps /build
/opt/backsight/bin/python -c "import habitat_sim, tasks.collect.habitat"
# What only the building needed: a pip inside a running container would be a way to bring in code.
/opt/backsight/bin/python -m pip --quiet uninstall -y pip
