package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A process that has allocated less than quietAllocation octets in quietPeriod is quiet. Giving memory back costs a garbage collection, so it is done
// once in quietRest at most.
const (
	quietPeriod     = time.Second
	quietAllocation = 200 << 10
	quietRest       = 5 * time.Second
)

// quiet tells when memory is to be given back to the system. Go keeps what a burst has needed: garbage is collected when there is half as much again, or after
// two minutes, and a tenth above what was in use then is never given back. That is much where each of very many clients that wait has needed ten times
// as much when it connected.
type quiet struct {
	allocated uint64 // octets since the process began, when it was looked at last
	mapped    uint64 // octets of heap and stacks that the process had after memory was given back
}

// spare is how much the process must have grown, beyond an eighth, in octets.
const spare = 1 << 20

// look is called every quietPeriod. It tells whether memory is to be given back.
func (q *quiet) look(allocated, mapped uint64) bool {
	busy := allocated-q.allocated > quietAllocation
	q.allocated = allocated
	q.mapped = min(q.mapped, mapped)
	return !busy && mapped > q.mapped+q.mapped/8+spare
}

// giveBack gives memory back whenever the process has become quiet. It does not return.
func giveBack() {
	q := quiet{}
	q.allocated, q.mapped = memoryInUse()
	for {
		time.Sleep(quietPeriod)
		if q.look(memoryInUse()) {
			debug.FreeOSMemory()
			q.allocated, q.mapped = memoryInUse()
			time.Sleep(quietRest)
		}
	}
}

// memoryInUse returns the octets that the process has allocated so far, and those of heap and stacks that it has, with what nobody uses.
func memoryInUse() (allocated, mapped uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples[1:] {
		mapped += s.Value.Uint64()
	}
	return samples[0].Value.Uint64(), mapped
}
