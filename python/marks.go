package python

import "sync/atomic"

// marks is memory that a worker shares: it notes there, right before it calls the application, which request it does that
// for. It tells of a worker that has died which requests it has read and not begun.
type marks struct {
	slots   []atomic.Uint32 // at the number modulo their number; nil: there is no such memory
	release func()
	used    bool // the worker writes to it; guarded by supervisor.mu
}

const markSlots = 1024

// begun tells whether the application was called for a number, in case of doubt that it was: the slot may have been used by a later
// one.
func (m *marks) begun(number uint32) bool {
	return !m.used || m.slots[number%markSlots].Load() >= number
}

// close gives the memory back.
func (m *marks) close() {
	if m.release != nil {
		m.release()
		m.release, m.slots, m.used = nil, nil, false
	}
}
