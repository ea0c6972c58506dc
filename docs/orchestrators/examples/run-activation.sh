#!/bin/sh
# Asks a Sluice daemon for a run and waits for its end: run-activation.sh ACTIVATION KEY
# Needs curl and jq; SLUICE_URL, and SLUICE_TOKEN where the daemon wants one. SLUICE_PATIENCE is for how many seconds a
# daemon that cannot be reached is asked again (300).
#
# KEY names what is to be done. With the same key a run that is under way or succeeded is found again; where it failed, was
# held or cancelled before this was started, another run is made, with the key KEY.2, then KEY.3 and so on.
# Prints the record of the run. Exit codes as those of `sluice run`: 0 done, 1 failed for good, 2 usage, 3 held, 75 worth
# another try, 130 cancelled.
set -eu
LC_ALL=C
most_keys=50

fail() {
  code=$1
  shift
  echo "$*" >&2
  exit "$code"
}

[ $# -eq 2 ] || fail 2 "usage: run-activation.sh ACTIVATION KEY"
case "$1" in '' | *[!A-Za-z0-9_-]*) fail 2 "no name of an activation: $1" ;; esac
case "$2" in '' | *[!!-~]*) fail 2 "a key is printable ASCII without spaces: $2" ;; esac
[ -n "${SLUICE_URL:-}" ] || fail 2 "SLUICE_URL is not set"
url=${SLUICE_URL%/}
# Secrets from files often end with a line break.
token=$(printf %s "${SLUICE_TOKEN:-}" | tr -d '\r\n')
patience=${SLUICE_PATIENCE:-300}
run=

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The run is the daemon's: it goes on when nobody waits for it.
trap 'fail 130 "interrupted${run:+; run $run goes on}"' INT
trap 'fail 143 "stopped${run:+; run $run goes on}"' TERM

# The token goes in by a file descriptor and not as an argument, which every process on the machine could read.
send() {
  { [ -z "$token" ] || printf %s "$token" | sed 's/[\\"]/\\&/g; s/.*/header = "Authorization: Bearer &"/'; } |
    curl --silent --show-error --config - --max-time 60 --output "$folder/body" --dump-header "$folder/head" \
      --write-out '%{http_code}' "$@"
}

header() {
  tr -d '\r' <"$folder/head" | awk -v name="$1:" 'tolower($1) == name { value = $2 } END { print value }'
}

field() {
  jq -er "$1" "$folder/body" 2>/dev/null
}

# Every request here may be repeated, a trigger because of its key.
ask() {
  give_up=$(($(date +%s) + patience))
  pause=1
  while :; do
    rm -f "$folder/body" "$folder/head"
    failed=0
    status=$(send "$@") || failed=$?
    wait=$pause
    case "$failed" in
      0)
        case "$status" in
          2??) return ;;
          429 | 502 | 503 | 504)
            what="the daemon at $url answers $status: $(cat "$folder/body")"
            after=$(header retry-after)
            case "$after" in '' | *[!0-9]*) ;; *) wait=$after ;; esac
            ;;
          *)
            code=1
            [ "$(field .error.retryable)" != true ] || code=75
            fail "$code" "the daemon answered $status: $(cat "$folder/body")"
            ;;
        esac
        ;;
      # What may pass: no name, no connection, no time, an answer cut short.
      5 | 6 | 7 | 16 | 18 | 28 | 35 | 52 | 55 | 56 | 92 | 95 | 96) what="the daemon at $url cannot be reached" ;;
      *) fail 2 "the daemon at $url cannot be asked: curl ended with $failed" ;;
    esac
    [ $(($(date +%s) + wait)) -lt "$give_up" ] || fail 75 "$what"
    sleep "$wait"
    pause=$((pause < 15 ? pause * 2 : 30))
  done
}

look() {
  run=$(field .run) && state=$(field .state) ||
    fail 1 "this is not the answer of a Sluice daemon: $(head -c 300 "$folder/body")"
}

key=$2
number=1
while :; do
  ask --data '{}' --header 'Content-Type: application/json' --header "Idempotency-Key: $key" "$url/v1/activations/$1/runs"
  look
  [ "$(header idempotency-replayed)" = true ] || break
  case "$state" in failed | held | cancelled) ;; *) break ;; esac
  [ $number -lt $most_keys ] || fail 1 "$most_keys runs with the key $2 did not succeed; use another key"
  number=$((number + 1))
  key=$2.$number
  echo "$run was $state before: asking with the key $key" >&2
done

while :; do
  case "$state" in
    succeeded | recovered | failed | held | cancelled) break ;;
  esac
  echo "$run is $state" >&2
  ask "$url/v1/runs/$run?wait=15s"
  look
done

cat "$folder/body"
case "$state" in
  succeeded | recovered) exit 0 ;;
  held) fail 3 "$run is held" ;;
  cancelled) fail 130 "$run was cancelled" ;;
esac
code=1
[ "$(field .error.retryable)" != true ] || code=75
fail "$code" "$(field '.error | "\(.code): \(.message); \(.hint)"')"
