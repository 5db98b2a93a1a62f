package tally

import "time"

// Moment is when a request was begun, in units of 16 ns modulo 52 days. Six octets are enough for that, and fit where eight do not: very many
// clients wait. The zero Moment stands for none.
type Moment [3]uint16

const (
	momentBits = 48
	unitBits   = 4 // of nanoseconds
)

var epoch = time.Now()

// now is the time in nanoseconds of the monotonic clock, a unit at least.
func now() int64 { return int64(time.Since(epoch)) + 1<<unitBits }

// momentOf is t, which comes from now.
func momentOf(t int64) Moment {
	units := uint64(t) >> unitBits
	if units&(1<<momentBits-1) == 0 {
		units++
	}
	return Moment{uint16(units), uint16(units >> 16), uint16(units >> 32)}
}

// until is how many nanoseconds lie between m and t, which comes from now.
func (m Moment) until(t int64) int64 {
	units := uint64(m[0]) | uint64(m[1])<<16 | uint64(m[2])<<32
	return int64((uint64(t)>>unitBits-units)&(1<<momentBits-1)) << unitBits
}
