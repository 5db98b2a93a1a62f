package loop

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const exhaustVariable = "WEIR_TEST_EXHAUST"

// TestOutOfDescriptors runs TestExhaust in a process of its own, whose limit of descriptors is low.
func TestOutOfDescriptors(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestExhaust$", "-test.v")
	cmd.Env = append(os.Environ(), exhaustVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestExhaust") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExhaust(t *testing.T) {
	if os.Getenv(exhaustVariable) == "" {
		t.Skip("run by TestOutOfDescriptors")
	}
	j := &journal{}
	r, err := New(Options{Loops: 2, Logger: slog.New(j)})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{})
	c := dial(t, server)
	send(t, c, []byte("before"))
	expect(t, c, "before")

	limit := descriptors(t) + 30
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(limit), Max: uint64(limit)}); err != nil {
		t.Fatal(err)
	}
	for episode := 1; episode <= 2; episode++ {
		// Clients take all descriptors but as many as leave the server none.
		var clients []net.Conn
		fill := func() {
			for {
				client, err := net.Dial("tcp", server.String())
				if err != nil {
					return
				}
				clients = append(clients, client)
			}
		}
		spare, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		fill()
		eventually(t, "all are accepted, or accepting fails", func() bool {
			return len(j.all()) >= episode || r.Connections() == len(clients)+1
		})
		_ = spare.Close()
		if len(j.all()) < episode { // the server had the last one: the next is a client's
			fill()
		}
		eventually(t, "accepting fails", func() bool { return len(j.all()) >= episode })
		time.Sleep(3 * acceptPause) // failures that could be logged again
		send(t, c, []byte("meanwhile"))
		expect(t, c, "meanwhile")
		waiting := clients[len(clients)-1]
		for _, client := range clients[:len(clients)-1] {
			_ = client.Close()
		}
		_ = waiting.SetDeadline(time.Now().Add(patience))
		send(t, waiting, []byte("at last"))
		expect(t, waiting, "at last")
		_ = waiting.Close()
		eventually(t, "one connection is left", func() bool { return r.Connections() == 1 })
		if lines := j.all(); len(lines) != episode || !strings.Contains(lines[0], "too many open files") ||
			!strings.Contains(lines[0], server.String()) {
			t.Errorf("after episode %d, logged: %q", episode, lines)
		}
		again := dial(t, server) // accepting goes on as if nothing had been
		send(t, again, []byte("after"))
		expect(t, again, "after")
		_ = again.Close()
		eventually(t, "one connection is left", func() bool { return r.Connections() == 1 })
	}
	r.Stop()
}

// descriptors counts the open descriptors of the process.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list) - 1 // the directory's own
}
