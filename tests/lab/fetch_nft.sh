#!/bin/sh
# Fetch the nft of another Debian release, with the libraries it was built for, into .cache/nft-<version>, and
# print the path of a program that runs it. Usage: fetch_nft.sh [SUITE]; by default trixie (1.1.3), and bullseye
# (0.9.8) and sid have been tried.
# Nothing is installed; the mirror is the one that this machine's apt already uses.
set -eu

suite=${1:-trixie}
cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache
state=$cache/apt-$suite

current() { cat "$state/program" 2>/dev/null || true; }

apt_of_suite() {
    tool=$1
    shift
    "$tool" -q -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
        -o Dir::State::Status=/dev/null -o APT::Sandbox::User=root "$@"
}

# The main archive is the first that serves this machine's own release.
mirror() {
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' "Identifier: Packages" |
        sed -n "s/^$release //p" | head -n 1
}

# All the libraries that nft needs, and theirs.
libraries() {
    apt_of_suite apt-cache depends --recurse --important nftables | grep '^lib' | sort -u
}

fetch() {
    [ -n "$(mirror)" ] || apt-get -q update >&2
    uri=$(mirror)
    if [ -z "$uri" ]; then
        echo "apt has no archive of this Debian release: is this Debian?" >&2
        exit 1
    fi
    rm -rf "$state"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs" "$state/root"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" > "$state/sources.list"
    apt_of_suite apt-get update >&2
    # shellcheck disable=SC2046
    (cd "$state/debs" && apt_of_suite apt-get download nftables $(libraries) >&2)
    for package in "$state"/debs/*.deb; do dpkg-deb -x "$package" "$state/root"; done
}

# Its own loader, so that its libc is used and not the machine's.
wrap() {
    version=$(dpkg-deb -f "$state"/debs/nftables_*.deb Version)
    home=$cache/nft-${version%%-*}
    rm -rf "$home"
    mv "$state/root" "$home"
    cat > "$home/nft" << END
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")
libraries=\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu
loader=\$(find "\$root" -name ld-linux-x86-64.so.2 | head -n 1)
exec "\$loader" --library-path "\$libraries" "\$root/usr/sbin/nft" "\$@"
END
    chmod +x "$home/nft"
    "$home/nft" --version >&2
    rm -rf "$state/debs" "$state/lists" "$state/cache"
    echo "$home/nft" > "$state/program"
}

if [ ! -x "$(current)" ]; then
    fetch
    wrap
fi
current
