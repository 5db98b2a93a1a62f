//go:build unix && !invariants

package loop

// Poison does nothing: the build tag "invariants" has it overwrite octets that nobody may look at any more.
func Poison([]byte) {}

func (*Loop) check(*Conn) {}
