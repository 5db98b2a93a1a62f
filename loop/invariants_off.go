//go:build unix && !invariants

package loop

// Checked tells that invariants are checked: by the build tag "invariants".
const Checked = false

func poison([]byte) {}

func (*Loop) check(*Conn) {}
