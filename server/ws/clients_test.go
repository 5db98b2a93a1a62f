package ws_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app/websocket"
)

// TestRunClients: clients that others wrote get what they send. It needs Debian's python3-websockets and python3-websocket, as .ci/packages has it.
func TestRunClients(t *testing.T) {
	s := serve(t, echo(&websocket.Upgrader{Compress: true, Subprotocols: []string{"v2", "v1"}}))
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/bin/python3", "testdata/clients.py", "ws://"+s.Addresses()[0]+"/echo").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}
