#!/usr/bin/env bash
# Builds Backsight's images with Docker, Podman or Buildah, whichever is there.
#
#   images/build.sh [options] [flow|collector|trainer|services ...]     all four where none is named
#
#   --base IMAGE     what the images stand on (default: Debian by digest, in each Containerfile)
#   --rootfs FILE    make that base from a Debian root file system (.tar.gz) instead: no registry is asked
#   --cpu            torch without CUDA: needs a wheel of it in --extra's wheels/, or TORCH_INDEX
#   --embedded       the collector without habitat-sim, so without conda
#   --extra DIR      ca.pem, pip.conf and wheels/ for pip during the build; nothing of it stays in an image
#   --tool TOOL      docker, podman or buildah
#   --save DIR       write each image as an archive too, for `kind load image-archive` or `ctr -n k8s.io images import`
#   --push REGISTRY  push each image there; with all four, infra/kubernetes/overlays/production gets their digests
#   --lock           only write requirements.txt of each image anew (needs uv)
set -euo pipefail
house=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$house/pyproject.toml")
revision=$(git -C "$house" rev-parse HEAD 2> /dev/null || echo unknown)
all=(flow collector trainer services)
declare -A pushed=()
base='' rootfs='' cpu='' embedded='' extra='' tool='' save='' push='' images=()

fail() {
    echo "error: $1" >&2
    exit 2
}

lock() {
    for image in "${all[@]}"; do
        uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
            --group "$house/pyproject.toml:$image" --constraint "$house/requirements.lock" \
            --output-file "$house/images/$image/requirements.txt"
        # Torch and what it brings depend on the machine: the Containerfile of the trainer names them.
        sed -i -E '/^(torch|triton)==|^(nvidia|cuda)-/d' "$house/images/$image/requirements.txt"
    done
}

while [ $# -gt 0 ]; do
    case "$1" in
        --base | --rootfs | --extra | --tool | --save | --push)
            [ $# -ge 2 ] || fail "$1 wants a value."
            declare "${1#--}=$2"
            shift
            ;;
        --cpu | --embedded) declare "${1#--}=yes" ;;
        --lock)
            lock
            exit
            ;;
        --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit
            ;;
        flow | collector | trainer | services) images+=("$1") ;;
        *) fail "$1 is neither an option nor an image: see --help." ;;
    esac
    shift
done
[ ${#images[@]} -gt 0 ] || images=("${all[@]}")
for candidate in docker podman buildah; do
    if [ -z "$tool" ] && command -v $candidate > /dev/null && { [ $candidate = buildah ] || $candidate info > /dev/null 2>&1; }; then
        tool=$candidate
    fi
done
[ -n "$tool" ] || fail "No Docker or Podman answers here and Buildah is not installed: install one, or name it with --tool."

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

assemble() {
    # Only what git knows: neither state, nor secrets, nor the virtual environment can slip in.
    (cd "$house" && git ls-files -z model tasks flows infra images pyproject.toml README.md LICENSE \
        | tar --create --null --files-from - --ignore-failed-read) | tar --extract --directory "$context"
    mkdir -p "$context/extra"
    [ -z "$extra" ] || cp -rL "$extra/." "$context/extra/"
}

build() { # NAME CONTAINERFILE CONTEXT ARGUMENT...
    local name=$1 file=$2 folder=$3
    shift 3
    case "$tool" in
        # Docker's format, since OCI's has no place for a health check.
        buildah) buildah bud --quiet --format docker --isolation "${BUILDAH_ISOLATION:-oci}" --layers=false "$@" --tag "$name" --file "$file" "$folder" ;;
        podman) podman build --quiet --format docker "$@" --tag "$name" --file "$file" "$folder" ;;
        docker) docker build --quiet "$@" --tag "$name" --file "$file" "$folder" ;;
    esac
}

keep() { # NAME: archive under the name that kubelet looks for
    local archive="$save/${1##*/}"
    archive="${archive/:/-}.tar" # a colon would end the path in a reference to an archive
    mkdir -p "$save"
    rm -f "$archive"
    case "$tool" in
        buildah) buildah push --quiet "$1" "docker-archive:$archive:$1" ;;
        podman) podman push --quiet "$1" "docker-archive:$archive:$1" ;;
        docker) docker save --output "$archive" "$1" ;;
    esac
    echo "saved $archive"
}

publish() { # NAME
    local target="$push/${1#backsight/}" digests="$context/digest"
    case "$tool" in
        docker)
            docker tag "$1" "$target"
            docker push --quiet "$target" > /dev/null
            docker inspect --format '{{index .RepoDigests 0}}' "$target" | cut -d@ -f2 > "$digests"
            ;;
        *) "$tool" push --quiet --digestfile "$digests" "$1" "docker://$target" ;;
    esac
    pushed[${1#backsight/}]="$target@$(cat "$digests")"
    echo "pushed $target@$(cat "$digests")"
}

pin() { # writes the component that the overlay `production` takes its images from
    local file="$house/infra/kubernetes/overlays/production/images/kustomization.yaml" kind
    {
        echo "# Written by \`images/build.sh --push REGISTRY\`, version $version."
        echo "apiVersion: kustomize.config.k8s.io/v1alpha1"
        echo "kind: Component"
        echo "images:"
        for kind in flow services; do
            local reference=${pushed[$kind:$version]}
            echo "  - name: backsight/$kind"
            echo "    newName: ${reference%:*@*}"
            echo "    digest: ${reference#*@}"
        done
        echo "patches:"
        echo "  - patch: |"
        echo "      apiVersion: v1"
        echo "      kind: ConfigMap"
        echo "      metadata:"
        echo "        name: backsight-platform"
        echo "        namespace: backsight"
        echo "      data:"
        echo "        BACKSIGHT_PROFILE: cluster"
        for kind in flow collector trainer; do
            local reference=${pushed[$kind:$version]}
            echo "        BACKSIGHT_LAUNCH_IMAGE_$(echo $kind | tr a-z A-Z): ${reference%:*@*}@${reference#*@}"
        done
    } > "$file"
    echo "wrote ${file#"$house"/}"
}

if [ -n "$rootfs" ]; then
    mkdir "$context/base"
    cp "$rootfs" "$context/base/rootfs.tar.gz"
    base=backsight/base:bookworm
    build "$base" "$house/images/base/Containerfile" "$context/base" > /dev/null
    [ "$tool" = docker ] || base="localhost/$base"
    rm -rf "$context/base"
fi
assemble
for image in "${images[@]}"; do
    name="backsight/$image:$version"
    arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
    [ -z "$base" ] || arguments+=(--build-arg "BASE=$base")
    if [ "$image" = trainer ] && [ -n "${TORCH_INDEX:-}" ]; then
        arguments+=(--build-arg "TORCH_INDEX=$TORCH_INDEX")
    elif [ "$image" = trainer ] && [ -n "$cpu" ]; then
        compgen -G "$context/extra/wheels/torch-*cpu*.whl" > /dev/null \
            || fail "--cpu finds no torch wheel for the CPU in --extra's wheels/: put one there, or set TORCH_INDEX."
    fi
    [ "$image$embedded" != collectoryes ] || arguments+=(--target embedded)
    begun=$SECONDS
    build "$name" "$context/images/$image/Containerfile" "$context" "${arguments[@]}" > /dev/null
    echo "built $name in $((SECONDS - begun)) s"
    [ -z "$save" ] || keep "$name"
    [ -z "$push" ] || publish "$name"
done
[ ${#pushed[@]} -lt ${#all[@]} ] || pin
