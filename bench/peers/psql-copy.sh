#!/bin/sh
# The yardstick: the rows as CSV, as fast as psql takes them from the server, written nowhere.
#   psql-copy.sh --url postgresql://… [--rows N]
set -eu
url='' where=''
while [ $# -gt 0 ]; do
  case "$1" in
    --url) url=$2 ;;
    --rows) where=" where id <= $2" ;;
    --container-url | --blob) ;; # of the other peers
    *) echo "unknown argument $1" >&2; exit 2 ;;
  esac
  shift 2
done
[ -n "$url" ] || { echo '--url is needed' >&2; exit 2; }
exec psql -X -q -v ON_ERROR_STOP=1 -d "$url" -c "\\copy (select * from customers$where) to /dev/null csv"
