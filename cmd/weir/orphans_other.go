//go:build !linux

package main

// reapOrphans is for process 1 of a container, and for weir run, which other systems do not have.
func reapOrphans() (end func()) { return func() {} }
