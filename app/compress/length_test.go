package compress_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/apptest"
	"github.com/weirhttp/weir/app/compress"
)

// TestDeclaredLength: content that is not as long as its Content-Length says is no more a whole response than without compression: where there is less
// the client is told by a 500 or a connection that is cut off, and of more it gets what was declared.
func TestDeclaredLength(t *testing.T) {
	content := bytes.Repeat([]byte(text), 2)
	for _, declared := range []int{len(content) + 1, len(content), 2000} {
		headers := []app.Header{field("Content-Type", "text/plain"), field("Content-Length", fmt.Sprint(declared))}
		for way, application := range applications(t, headers, content) {
			for _, coding := range []string{"gzip", "zstd", "br"} {
				t.Run(fmt.Sprint(declared, "/", way, "/", coding), func(t *testing.T) {
					server := apptest.NewServer(t, compressed(t, application, compress.Options{}))
					res := ask(t, server, coding)
					raw, err := io.ReadAll(res.Body)
					if declared > len(content) {
						if err == nil && res.StatusCode == 200 {
							t.Errorf("%d octets pass for the whole", len(raw))
						}
						return
					}
					if got := res.Header.Get("Content-Encoding"); got != coding {
						t.Fatalf("Content-Encoding: %q", got)
					}
					got, wrong := io.ReadAll(decoder(t, coding, bytes.NewReader(raw)))
					if err != nil || wrong != nil || !bytes.Equal(got, content[:declared]) {
						t.Errorf("%d octets (%v, %v), want %d", len(got), err, wrong, declared)
					}
				})
			}
		}
	}
}
