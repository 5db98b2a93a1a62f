//go:build unix && !invariants

package loop

// Checked tells that invariants are checked: by the build tag "invariants".
const Checked = false

// Between two looks at the loops, in nanoseconds (clock).
const (
	watchTime = 1e6
	callTime  = 500e3
)

// hasty tells that the first look which finds a call running takes the loop from it.
func hasty() bool { return false }

func poison([]byte) {}

func (*Loop) check(*Conn) {}
