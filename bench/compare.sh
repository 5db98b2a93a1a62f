#!/bin/sh
# Compares the working tree (A) with a commit (B): make bench-compare REF=COMMIT.
# The commit is built in a worktree outside of this folder, which is removed
# again however this ends.
set -eu

ref=${1:?usage: compare.sh COMMIT [flags of weir-bench compare]}
shift
go=${GO:-go}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
commit=$(git rev-parse --verify --quiet "$ref^{commit}") || {
	echo "bench-compare: $ref is no commit" >&2
	exit 2
}

scratch=$(mktemp -d)
cleanup() {
	trap '' INT TERM HUP # a second ^C must not leave half of it
	if [ -e "$scratch/tree" ] && ! git worktree remove --force "$scratch/tree" 2>/dev/null; then
		rm -rf "$scratch/tree" # it was being made
		git worktree prune
	fi
	rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# -trimpath: the two differ in their code, not in the folder that they come from.
"$go" build -trimpath -o bin/weir ./cmd/weir
git worktree add --quiet --detach "$scratch/tree" "$commit"
(cd "$scratch/tree" && "$go" build -trimpath -o "$scratch/weir" ./cmd/weir)
cp bin/weir "$scratch/weir-working-tree" # bin/weir may be built again meanwhile
(cd bench && "$go" build -o bin/weir-bench .)
cd bench
echo "A: the working tree. B: $(git log -1 --format='%h %s' "$commit")."
bin/weir-bench compare "$@" "$scratch/weir-working-tree" "$scratch/weir"
