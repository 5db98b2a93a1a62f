#!/bin/sh
# What an access log in JSON costs: CPU a request of weir with one, to a file (A), and without (B), and whether lines were lost.
# ACCESSLOG_DIR is where the file is; put it on a disk.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/bench/bin"
dir=$(mktemp -d "${ACCESSLOG_DIR:-$root/bench/bin}/accesslog.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

cd "$root/bench"
"${GO:-go}" build -o bin/weir-bench .
status=0
bin/weir-bench compare -most 1.10 -cases plaintext-64 -args-a "--access-log $dir/access.log --access-log-format json --error-logfile $dir/error.log" "$@" \
	"$root/bin/weir" "$root/bin/weir" || status=$?
echo
echo "The log: $(wc -l <"$dir/access.log") lines, $(wc -c <"$dir/access.log") octets."
if grep -E '"access log lines were (dropped|lost)|"the access log (cannot|takes nothing)' "$dir/error.log"; then
	echo "Lines were lost."
	exit 1
fi
echo "No line was lost."
exit $status
