package main

import (
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
)

// processTree is the process and all that it has started, directly or not, and that still run.
func processTree(pid int) []int {
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, proc.Children(tree[i])...)
	}
	return tree
}

// resident is the resident memory of the server and of all processes that it has started.
func (s *server) resident() (total int64, err error) {
	if err := s.alive(); err != nil {
		return 0, err
	}
	for _, pid := range processTree(s.cmd.Process.Pid) {
		bytes, err := proc.ResidentBytes(pid)
		if err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

// cpu is the CPU time of the same processes.
func (s *server) cpu() (total time.Duration, err error) {
	for _, pid := range processTree(s.cmd.Process.Pid) {
		taken, err := proc.CPUTime(pid)
		if err != nil {
			return 0, err
		}
		total += taken
	}
	return total, nil
}
