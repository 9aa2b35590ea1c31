#!/bin/sh
# A node's first boot: meterbridge from the wheels beside this file into /opt/meterbridge, then the node itself.
# Needs root and Python 3.11 or newer, no network, no pip and no python3-venv.  Running it again does no harm.
# What came of it stands in outcome.json beside this file: {"ok": true, …}, or the step that failed and why.
set -u
umask 022
export LC_ALL=C
payload=$(cd "$(dirname "$0")" && pwd)
cd /
slots=/opt/meterbridge
outcome=$payload/outcome.json
log=$(mktemp) || exit 3
trap 'rm -f "$log" "$log.said"' EXIT

quoted() { # as inside a JSON string: one line, no control characters
    tr '\t\n' '  ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/ *$//'
}

failed() { # STEP MESSAGE: write the outcome so that a power cut leaves the old one or the new one
    message=$(printf '%s' "$2" | quoted)
    printf '{"schema": 1, "ok": false, "step": "%s", "message": "%s"}\n' "$1" "$message" >"$outcome.new"
    sync -f "$outcome.new" && mv "$outcome.new" "$outcome" && sync -f "$outcome"
    echo "meterbridge: first boot: $1: $2" >&2
    exit 1
}

attempt() { # STEP COMMAND…: quietly, its last lines are the message if it fails
    step=$1
    shift
    "$@" >"$log" 2>&1 || failed "$step" "$(tail -n 5 "$log")"
}

[ "$(id -u)" = 0 ] || { echo "install.sh: run as root" >&2; exit 4; }
rm -f "$outcome"

# -- what is needed
if [ -f "$payload/SHA256SUMS" ]; then # what people may correct on the card by hand is checked by what reads it
    grep -vE '  (agent\.toml|owner|label)$' "$payload/SHA256SUMS" >"$log"
    (cd "$payload" && sha256sum --check --quiet --strict "$log") >"$log.said" 2>&1 ||
        failed card "the card did not keep what was written, make it anew: $(cat "$log.said")"
fi
command -v python3 >/dev/null || failed python "there is no python3 on this system"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    failed python "Python 3.11 or newer is needed, this is $(python3 --version 2>&1)"
set -- "$payload"/wheels/meterbridge-*.whl
[ $# = 1 ] && [ -f "$1" ] || failed wheels "one meterbridge-*.whl is expected in $payload/wheels"
wheel=$1
set -- "$payload"/wheels/pip-*.whl
[ -f "$1" ] || failed wheels "pip-*.whl is missing in $payload/wheels"
pip=$1
extras=
for part in web:starlette technician:textual; do # whoever left one out of the payload has no page, or no screen
    set -- "$payload/wheels/${part#*:}"-*.whl
    [ -f "$1" ] && extras="$extras,${part%%:*}"
done
[ -n "$extras" ] && wheel="$wheel[${extras#,}]"

# -- the environment: the slot that was made from these very wheels, else a new one in the slot that is not in use
digest=$(cat "$payload"/wheels/*.whl | sha256sum | cut -c-64)
in_use=$(readlink "$slots/current" 2>/dev/null)
slot=
for each in a b; do
    [ "$(cat "$slots/$each/.made-from" 2>/dev/null)" = "$digest" ] && slot=$each
done
if [ -z "$slot" ]; then
    slot=a
    [ "$in_use" = a ] && slot=b
    rm -rf "${slots:?}/$slot"
    attempt environment python3 -m venv --without-pip "$slots/$slot"
    attempt wheels "$slots/$slot/bin/python" "$pip/pip" install --quiet --disable-pip-version-check --no-cache-dir \
        --no-index --find-links "$payload/wheels" "$wheel"
    sync # all of it is on the card before it counts as made
    echo "$digest" >"$slots/$slot/.made-from"
fi

# -- the node: users, services, keys, claim; it writes the outcome
if "$slots/$slot/bin/meterbridge" provision first-boot --payload "$payload" >"$log" 2>&1; then
    cat "$log"
else
    code=$?
    cat "$log" >&2
    [ -f "$outcome" ] || failed node "exit code $code: $(tail -n 5 "$log")"
    exit "$code"
fi
