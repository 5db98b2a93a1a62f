//go:build unix

package loop

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

// Gathering: much input that belongs together is received into one buffer of its size, which whoever wants the input takes
// over. All the buffers of a reactor that gather, and those that were taken and are in use, have a budget together.

// gatherShare is how many buffers of the largest size the budget has room for.
const gatherShare = 8

// gatherings has pools of inputs that gather by capacity, a power of two: from 64 KiB to 4 MiB. They are not the pools of other inputs: views of
// those may be left behind where nobody looks at them any more, and would keep memory from being collected that was left (Gathered.Leave).
var gatherings [7]sync.Pool

// gatherClass is the index of the smallest pool whose buffers hold size octets, len(gatherings) or more when none does.
func gatherClass(size int) int { return bits.Len(uint(max(size-1, 0)) / ReadSize) }

// gatherSize is the capacity of an input that gathers size octets.
func gatherSize(size int) int {
	if i := gatherClass(size); i < len(gatherings) {
		return ReadSize << i
	}
	return size
}

func newGathering(size int) *input {
	if i := gatherClass(size); i < len(gatherings) {
		if in, ok := gatherings[i].Get().(*input); ok {
			return in
		}
	}
	return &input{data: make([]byte, 0, gatherSize(size))}
}

// freeGathering is free of an input that gathers.
func (in *input) freeGathering() {
	size := cap(in.data)
	in.budget.give(size)
	Poison(in.data)
	*in = input{data: in.data[:0]}
	if i := gatherClass(size); i < len(gatherings) && size == ReadSize<<i {
		gatherings[i].Put(in)
	}
}

// budget bounds the memory of buffers that gather. Its methods are for any goroutine.
type budget struct {
	most atomic.Int64 // octets; 0: nothing is gathered
	used atomic.Int64
}

// take is false when there is not so much left.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.most.Load() {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

func (b *budget) give(n int) {
	b.used.Add(int64(-n))
}

// Gathered is how many octets of memory the buffers have that gather input, or were taken (Conn.Take) and are in use.
func (r *Reactor) Gathered() int64 { return r.gathering.used.Load() }

// MayGather tells whether Gather is likely to take n octets, a moment later too.
func (c *Conn) MayGather(n int64) bool {
	b := &c.loop.reactor.gathering
	most := b.most.Load()
	return n <= most/gatherShare && b.used.Load() <= most-most/gatherShare
}

// Gather is called inside Data, with what Data does not consume: the first of n octets that belong together. They are received into one
// buffer, and Data is called with those that are there each time that there are more, until there are n: then it may take the buffer (Take). Views
// of begun stay what they are until Data returns, and what Data returns does not matter. It is false, and nothing has changed, when there is
// no memory left for that (Options.GatherMemory).
func (c *Conn) Gather(begun []byte, n int) bool {
	b := &c.loop.reactor.gathering
	size := n
	if c.layer() != nil {
		size += ReadSize // what it opens comes as it is, and may go beyond n
	}
	size = gatherSize(size)
	if !b.take(size) {
		return false
	}
	in := newGathering(size)
	in.most, in.budget = n, b
	in.data = append(in.data, begun...)
	c.in = in // the one before is freed behind Data
	return true
}

// Take is called inside Data, which was given p: what was gathered, or more than ReadSize octets. It takes the buffer that p is in out of the connection, for the first n
// octets. What is behind them is copied, and Data called with it later. What Data returns now does not matter.
func (c *Conn) Take(p []byte, n int) Gathered {
	in := c.in
	c.in, c.loop.viewed, c.loop.delivered = nil, nil, nil
	if rest := p[n:]; len(rest) > 0 {
		c.in = newInput(len(rest))
		c.in.data = append(c.in.data, rest...)
		c.loop.delivered = c.in.data // what Interrupted goes by
	}
	return Gathered{in}
}

// Gathered is a buffer that Take has taken out of its connection. The zero Gathered is none. Its methods are for one goroutine at a time.
type Gathered struct{ input *input }

// IsZero tells whether there is no buffer.
func (g Gathered) IsZero() bool { return g.input == nil }

// Free has the buffer used again, for other input: nobody may have a view of it. It is called once.
func (g Gathered) Free() {
	if g.input != nil {
		g.input.free()
	}
}

// Leave leaves the buffer, in the place of Free, to those who have views of it. It counts as memory that is in use until the garbage collector has
// found that nobody has.
func (g Gathered) Leave() {
	if in := g.input; in != nil && in.budget != nil {
		runtime.AddCleanup(&in.data[0], in.budget.give, cap(in.data))
	}
}
