package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestQuiet: memory is given back when the process has grown and is quiet, once.
func TestQuiet(t *testing.T) {
	const mega = 1 << 20
	q := quiet{allocated: 300 * mega, mapped: 80 * mega}
	for i, tt := range []struct {
		allocated, mapped uint64
		want              bool
	}{
		{300 * mega, 80 * mega, false},
		{300 * mega, 91 * mega, false}, // an eighth, and spare
		{500 * mega, 200 * mega, false},
		{501 * mega, 200 * mega, false},
		{501*mega + quietAllocation, 200 * mega, true},
		{502 * mega, 40 * mega, false}, // busy, and the system has it back
		{502 * mega, 46 * mega, false},
		{502 * mega, 47 * mega, true},
	} {
		if got := q.look(tt.allocated, tt.mapped); got != tt.want {
			t.Errorf("look %d: %v, want %v", i, got, tt.want)
		}
	}
}

// TestMemoryInUse: what is looked at is there, and grows and shrinks with what the process has, of which other tests may have given some back.
func TestMemoryInUse(t *testing.T) {
	debug.FreeOSMemory()
	first, before := memoryInUse()
	content := make([]byte, 64<<20)
	_, with := memoryInUse()
	runtime.KeepAlive(content)
	content = nil
	debug.FreeOSMemory()
	last, behind := memoryInUse()
	if before == 0 || with < before+32<<20 || behind+32<<20 > with {
		t.Errorf("%d octets, %d with 64 MiB, %d without", before, with, behind)
	}
	if last-first < 64<<20 {
		t.Errorf("%d octets allocated before, %d behind", first, last)
	}
}
