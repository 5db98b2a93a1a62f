package child

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestTail: the end is kept, however it was written.
func TestTail(t *testing.T) {
	var tail Tail
	for i := range 1000 {
		fmt.Fprintf(&tail, "line %d\n", i)
	}
	if s := tail.String(); len(s) > tailSize || !strings.HasSuffix(s, "line 998\nline 999") {
		t.Errorf("%d octets are kept, %.40q to %q", len(s), s, s[len(s)-20:])
	}
}

// TestPorts: a port that is in use is passed over, and none is handed out twice.
func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	used := l.Addr().(*net.TCPAddr).Port
	ports := NewPorts(used)
	first, addr, err := ports.Free()
	if err != nil || first <= used || addr != fmt.Sprintf("127.0.0.1:%d", first) {
		t.Fatalf("%d %s, %v; %d is in use", first, addr, err, used)
	}
	if second, _, err := ports.Free(); err != nil || second <= first {
		t.Errorf("%d after %d, %v", second, first, err)
	}
}
