package python

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// table is the requests that a worker has, by their numbers. Numbers are given out one after the other, so that the place of one is its
// number modulo the size.
type table struct {
	slots []*request
	last  uint32 // number given out
	count int
}

// newTable makes a table with room for n requests at least.
func newTable(n int) table {
	return table{slots: make([]*request, 1<<bits.Len(uint(2*n-1)))}
}

func (t *table) slot(number uint32) **request { return &t.slots[int(number)&(len(t.slots)-1)] }

// add gives r a number. The caller sees to it that there is room.
func (t *table) add(r *request) {
	*t.slot(r.number) = r
	t.count++
}

// number returns a number for add.
func (t *table) number() uint32 {
	for {
		t.last++
		if t.last != 0 && *t.slot(t.last) == nil {
			return t.last
		}
	}
}

// get returns the request with a number, nil when there is none.
func (t *table) get(number uint32) *request {
	if r := *t.slot(number); r != nil && r.number == number {
		return r
	}
	return nil
}

func (t *table) remove(r *request) {
	*t.slot(r.number) = nil
	t.count--
}

// all ranges over the requests.
func (t *table) all() iter.Seq[*request] {
	return func(yield func(*request) bool) {
		left := t.count
		for i := 0; left > 0 && i < len(t.slots); i++ {
			if r := t.slots[i]; r != nil {
				left--
				if !yield(r) {
					return
				}
			}
		}
	}
}

// sorted are the requests, oldest first.
func (t *table) sorted() []*request {
	return slices.SortedFunc(t.all(), func(a, b *request) int { return cmp.Compare(a.number, b.number) })
}
