# Shared functions of the benchmark scripts. Servers and load client are separate processes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=${CARGO_TARGET_DIR:-target}/release
key=scripts-and-services-need-no-secret-key-0
service=18991 app=18992
url=http://127.0.0.1:$app/bench
connection_string="Endpoint=http://127.0.0.1;Port=$service;AccessKey=$key;Version=1.0;"
scratch=$(mktemp -d)
servers=()
# HUB_LOCAL_INSPECTOR=on measures with the inspector.
export HUB_LOCAL_INSPECTOR=${HUB_LOCAL_INSPECTOR:-off}

[ -n "${NO_BUILD:-}" ] || cargo build --locked --release -p hub-local -p benches </dev/null
ulimit -n "$(ulimit -Hn)"

stop() {
    local server
    for server in ${servers[@]+"${servers[@]}"}; do
        { kill "$server" && wait "$server" || true; } 2>/dev/null
    done
    servers=()
}
trap 'stop; rm -rf "$scratch"' EXIT

# Starts a server, waits until its port is open, and sets $server to its id. Arguments: port, command.
start() {
    local port=$1
    shift
    "$@" >"$scratch/out" 2>"$scratch/$port.log" &
    server=$!
    servers+=("$server")
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        sleep 0.05
    done
    echo "$1 did not start" >&2
    exit 1
}

# The hub with the embedded service, or with a running service.
embedded() { start "$app" env HUB_LOCAL_PORT=$service HUB_LOCAL_KEY=$key PORT=$app "$bin/bench-hub"; }
hub() { start "$app" env "AzureSignalRConnectionString=$connection_string" PORT=$app "$bin/bench-hub"; }
upstream=http://127.0.0.1:$app/runtime/webhooks/signalr

# Resident memory in KiB, and CPU time of all threads in microseconds.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
processor() { cat "/proc/$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d", sum / 1000 }'; }

# A load that starts to measure on request: `load NAME options…`, then `measure NAME`.
load() {
    local name=$1 connected
    shift
    mkfifo "$scratch/$name.in"
    "${tool:-$bin}/hub-local" load "$url" --wait "$@" <"$scratch/$name.in" >"$scratch/$name.out" 2>"$scratch/$name.log" &
    loader=$!
    exec {orders}>"$scratch/$name.in"
    for _ in $(seq 1200); do
        connected=$(grep -c "^connected" "$scratch/$name.log" || true)
        [ "$connected" = 0 ] || return 0
        kill -0 "$loader" 2>/dev/null || { cat "$scratch/$name.log" >&2; exit 1; }
        sleep 0.1
    done
    echo "the clients did not connect" >&2
    exit 1
}
begin() { echo >&"$orders"; }
finish() {
    wait "$loader"
    exec {orders}>&-
    rm "$scratch/$1.in"
}

# A number from the output of a load.
row() { awk -v row="$2" '$1 == row { gsub(",", ""); print $(NF - (/ ms$/ ? 1 : 0)) }' "$scratch/$1.out"; }
clean() {
    [ "$(row "$1" lost)$(row "$1" duplicated)$(row "$1" errors)" = 000 ] || { cat "$scratch/$1.out" >&2; exit 1; }
}

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
calculate() { awk "BEGIN { printf \"$1\", $2 }"; }
