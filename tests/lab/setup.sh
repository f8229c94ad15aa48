#!/bin/sh
# Set up the full-kernel lab: host packages, and Debian's kernel unpacked (never installed) into .cache/lab.
# Safe to run again; what is already there is kept.
set -eu

cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache/lab
packages="qemu-system-x86 busybox-static cpio kmod iproute2 iputils-ping nftables systemd udev"

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

install_packages() {
    missing=""
    for package in $packages; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "the lab needs packages; as root run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    apt-get update -q
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

# linux-image-amd64 is an empty package that depends on the current kernel's.
kernel_package() {
    apt-cache depends --important linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p'
}

unpack_kernel() {
    [ ! -e "$cache/kernel/complete" ] || return 0
    apt-get update -q
    package=$(kernel_package)
    if [ -z "$package" ]; then
        echo "apt knows no linux-image-amd64: the lab needs Debian's archive" >&2
        exit 1
    fi
    release=${package#linux-image-}
    rm -rf "${cache:?}/$release"
    mkdir -p "$cache/$release"
    cd "$cache/$release"
    apt-get -q -o APT::Sandbox::User=root download "$package"
    dpkg-deb -x ./*.deb .
    rm ./*.deb
    depmod --basedir . "$release"
    touch complete
    ln -sfn "$release" "$cache/kernel"
}

install_packages
unpack_kernel
echo "the lab is ready: kernel $(readlink "$cache/kernel")"
