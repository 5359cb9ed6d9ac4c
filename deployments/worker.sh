#!/usr/bin/env bash
# Start Prefect workers on this machine, each of which executes one run at a time.
#
#   worker.sh cpu     one worker for the work pool cpu (or any other)
#   worker.sh gpu     one worker for each GPU, which sees only that GPU; CUDA_VISIBLE_DEVICES=0,2 selects GPUs
#
# PREFECT_API_URL is the server's address. A worker that ends is started again, without affecting the others.
set -euo pipefail

fail() {
    echo "worker.sh: $1" >&2
    exit 2
}

pool=${1-}
[ -n "$pool" ] || fail "no work pool given: run worker.sh cpu, or worker.sh gpu"
[ -n "${PREFECT_API_URL-}" ] || fail "PREFECT_API_URL is not set: set it to the server's address, e.g. http://server:4200/api"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH" PYTHONSAFEPATH=1

work() {
    trap 'kill $(jobs -p) 2>/dev/null; wait; exit 0' TERM INT
    while true; do
        prefect worker start --pool "$pool" --name "$1" --limit 1 &
        wait $! || true
        sleep 5 &
        wait $!
    done
}

if [ "$pool" != gpu ]; then
    work "$(hostname):$pool"
fi

devices=${CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=uuid --format=csv,noheader 2>/dev/null | paste -sd, || true)}
[ -n "$devices" ] || fail "no GPU found (nvidia-smi, CUDA_VISIBLE_DEVICES): did you mean worker.sh cpu?"

trap 'kill $(jobs -p) 2>/dev/null; wait; exit 0' TERM INT
number=0
for device in ${devices//,/ }; do
    CUDA_VISIBLE_DEVICES=$device work "$(hostname):gpu:$number" &
    number=$((number + 1))
done
wait
