#!/bin/sh
# Asks a Sluice daemon for a run and waits for its end: run-activation.sh ACTIVATION KEY
# Needs curl and jq; SLUICE_URL, and SLUICE_TOKEN where the daemon wants one.
#
# KEY names what is to be done, not the try: with the same key the same run is found again.
# Prints the record of the run. Exit codes as those of `sluice run`: 0 done, 1 failed for good, 2 usage, 3 held, 75 worth
# another try (with another key), 130 cancelled.
set -eu
[ $# -eq 2 ] || { echo "usage: run-activation.sh ACTIVATION KEY" >&2; exit 2; }
: "${SLUICE_URL:?}"

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The token goes in by a file descriptor and not as an argument, which every process on the machine could read.
ask() {
  status=$(
    { [ -z "${SLUICE_TOKEN:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$SLUICE_TOKEN"; } |
      curl --silent --show-error --config - --output "$answer" --write-out '%{http_code}' \
        --max-time 60 --retry 10 --retry-all-errors --retry-max-time 300 "$@"
  ) || { echo "the daemon at $SLUICE_URL cannot be reached" >&2; exit 75; }
  case "$status" in
    2??) ;;
    *)
      echo "the daemon answered $status: $(cat "$answer")" >&2
      [ "$(jq -r '.error.retryable // false' "$answer" 2>/dev/null)" = true ] && exit 75
      exit 1
      ;;
  esac
}

ask --request POST --header "Idempotency-Key: $2" "$SLUICE_URL/v1/activations/$1/runs"
run=$(jq -r .run "$answer")
while :; do
  state=$(jq -r .state "$answer")
  case "$state" in
    succeeded | recovered | failed | held | cancelled) break ;;
  esac
  echo "$run is $state" >&2
  ask "$SLUICE_URL/v1/runs/$run?wait=30s"
done

cat "$answer"
case "$state" in
  succeeded | recovered) exit 0 ;;
  held) exit 3 ;;
  cancelled) exit 130 ;;
esac
jq -r '.error | "\(.code): \(.message); \(.hint)"' "$answer" >&2
[ "$(jq -r .error.retryable "$answer")" = true ] && exit 75
exit 1
