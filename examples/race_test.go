//go:build race

package examples

// Under the race detector the weir that is tested is under it too: a race that it finds ends it with a status of its own.
func init() {
	buildFlags = []string{"-race", "-tags", "invariants"}
	large = 4 << 20 // it is slow then
}
