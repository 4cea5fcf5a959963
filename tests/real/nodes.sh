# Two nodes, each a network namespace on this machine, for tests/real/ray and tests/real/slurm, which source this: BINARY FOLDER are
# their arguments. A run of one process is what others are compared with. Needs root.
binary=$(realpath "$1") folder=$2
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) a=dlgforge-a b=dlgforge-b
started=()
export SOURCE_DATE_EPOCH=1735689600

fail() {
    echo "$0: $1" >&2
    for log in "$work"/*.log; do
        tail -n 20 "$log" | sed "s|^|$(basename "$log"): |" >&2
    done
    exit 1
}

clean() {
    for id in "${started[@]}"; do
        kill -TERM "$id" 2>/dev/null || true
    done
    sleep 2
    for name in $a $b; do
        ip netns pids $name 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
        ip netns del $name 2>/dev/null || true
        rm -rf "/etc/netns/$name"
    done
    rm -rf "$work"
}

# until_so SECONDS WHAT COMMAND...: waits for something to become so.
until_so() {
    for _ in $(seq "$1"); do
        if "${@:3}" >/dev/null 2>&1; then
            return
        fi
        sleep 1
    done
    fail "$2: not within $1 s"
}

# project NAME: a project whose run takes some seconds.
project() {
    mkdir -p "$work/$1"
    cp -r "$root/knowledge" "$work/$1"
    cat >"$work/$1/config.yaml" <<'YAML'
run: {seed: 5, run_id: r, batch_size: 16, total_samples: 1500}
llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}, judge: {provider: builtin}}}
judge: {mode: online}
coverage: {question_dedup_retries: 3}
YAML
}

# dlgforge NAME ARGUMENT...: makes the run of a project on the first node; to be called in a subshell, which it becomes.
dlgforge() {
    cd "$work/$1" && exec ip netns exec $a "$binary" run "${@:2}" >"$work/$1.log" 2>&1
}

same() { diff -rq --exclude=store "$work/alone/outputs" "$work/$1/outputs" || fail "$1: other files than one process makes"; }
is_under_way() { [ -s "$work/$1/outputs/turns.jsonl" ]; }

# The processes of runs on the second node.
others() {
    for id in $(ip netns pids $b); do
        [ "$(readlink "/proc/$id/exe")" != "$binary" ] || echo "$id"
    done
}
nobody() { [ -z "$(others)" ]; }

[ "$(id -u)" = 0 ] && command -v ip >/dev/null || fail "needs root and the command ip (iproute2), for network namespaces"
trap clean EXIT
for name in $a $b; do
    ip netns add $name
    ip -n $name link set lo up
    mkdir -p "/etc/netns/$name"
    printf '127.0.0.1 localhost\n10.79.0.1 dlgforge-a\n10.79.0.2 dlgforge-b\n' >"/etc/netns/$name/hosts"
done
ip link add veth-a netns $a type veth peer name veth-b netns $b
ip -n $a addr add 10.79.0.1/24 dev veth-a
ip -n $b addr add 10.79.0.2/24 dev veth-b
ip -n $a link set veth-a up
ip -n $b link set veth-b up
for name in alone whole lost stopped; do project $name; done
(dlgforge alone) || fail "one process"
