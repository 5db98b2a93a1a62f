package exchange

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestPathsBlock: a path blocks from 7 of its last 64 calls on, and is tried again when these are forgotten.
func TestPathsBlock(t *testing.T) {
	var table Paths
	if !table.empty() || table.find([]byte("/a")) != nil {
		t.Fatal("the zero table knows something")
	}
	p := table.add([]byte("/a"))
	if table.empty() || table.find([]byte("/a")) != p || p.Path != "/a" {
		t.Fatalf("added %+v", p)
	}
	for n := 1; n < blockingCalls; n++ {
		if p.Blocks() || p.Blocked() != n {
			t.Fatalf("with %d calls of %d: blocks %v", p.Blocked(), n, p.Blocks())
		}
		p.note(false)
		p.note(true)
	}
	if !p.Blocks() || p.Blocked() != blockingCalls {
		t.Fatalf("blocks with %d calls: %v", p.Blocked(), p.Blocks())
	}
	// The oldest falls out of the 64 first: 13 calls were noted, so that 51 more are remembered beside it.
	for range 64 - (2*blockingCalls - 1) {
		p.note(false)
	}
	if !p.Blocks() {
		t.Fatal("a call was forgotten too early")
	}
	if p.note(false); p.Blocks() {
		t.Fatal("a call was not forgotten")
	}
	for range 64 {
		p.note(false)
	}
	if p.Blocked() != 0 {
		t.Errorf("%d calls of 64 fast ones", p.Blocked())
	}
}

// TestPathsAddAgain: a path has one entry, whoever meets it first.
func TestPathsAddAgain(t *testing.T) {
	var table Paths
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range pathWays {
				path := fmt.Appendf(nil, "/%d", i)
				table.add(path)
				table.find(path).note(false)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for p := range table.All {
		if seen[p.Path] {
			t.Errorf("%s is there twice", p.Path)
		}
		seen[p.Path] = true
	}
	if len(seen) != pathWays {
		t.Errorf("%d paths", len(seen))
	}
}

// TestPathsBounded: however many paths block, the table keeps those that block most, and not more than it has places.
func TestPathsBounded(t *testing.T) {
	var table Paths
	for range blockingCalls {
		table.add([]byte("/often"))
	}
	for i := range 4 * pathSets * pathWays {
		table.add(fmt.Appendf(nil, "/%d", i))
	}
	n := 0
	for range table.All {
		n++
	}
	if n > pathSets*pathWays || n < pathSets {
		t.Errorf("%d paths in %d places", n, pathSets*pathWays)
	}
	if p := table.find([]byte("/often")); p == nil || !p.Blocks() {
		t.Error("the path that blocks most had to make room")
	}
	for range table.All { // stops when it is told to
		return
	}
}

// TestPathsTooLong: what a client can make up without bound is not kept.
func TestPathsTooLong(t *testing.T) {
	var table Paths
	if table.add([]byte("/"+strings.Repeat("x", maxPath))) != nil || !table.empty() {
		t.Error("a path that is too long was learned")
	}
	if table.add([]byte(strings.Repeat("x", maxPath))) == nil {
		t.Error("the longest path was not learned")
	}
}
