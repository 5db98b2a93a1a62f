package python_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/python"
)

// TestAbout: what the log says of a request that has gone wrong, it says of which one, and what became of it. The environ that it was sent with may be a dict
// or a tuple.
func TestAbout(t *testing.T) {
	for name, c := range map[string]struct {
		options       python.Options
		target        string
		message, path string
	}{
		"died":      {python.Options{}, "/exit?q", "worker has died in a request, answered 502", "/exit"},
		"odd path":  {python.Options{}, "/exit/caf%C3%A9%07", "worker has died in a request, answered 502", "/exit/café?"},
		"long path": {python.Options{}, "/exit" + strings.Repeat("/long", 100), "worker has died in a request, answered 502", ("/exit" + strings.Repeat("/long", 100))[:256]},
		"streamed":  {python.Options{}, "/streamexit", "worker has died in a request, cut off", "/streamexit"},
		"stuck":     {python.Options{Timeout: 200 * time.Millisecond}, "/stuck_in_a_view", "worker is stuck in a request, answered 504", "/stuck_in_a_view"},
		"not held":  {python.Options{}, `/hold?{"topics":"a","timeout":400}`, "a request is not held", "/hold"},
		"too short": {python.Options{}, "/short", "weir: the application gave less content than its Content-Length, which is 10: 5;", "/short"},
	} {
		for _, known := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				topics := hub.New(hub.Options{})
				defer topics.Close()
				c.options.Hub = topics
				h := host(t, c.options)
				for range 10 * map[bool]int{true: 1}[known] { // its keys become known to the worker
					h.get("/")
				}
				_, _ = h.try("GET", c.target, nil, nil)
				line := regexp.MustCompile(`msg="` + regexp.QuoteMeta(c.message) + `.* request\.id=\d+-\d+ request\.method=GET request\.path="?` + regexp.QuoteMeta(c.path) + `"?\n`)
				h.eventually("the log tells of "+c.path, func() bool { return line.MatchString(h.log.String()) })
			})
		}
	}
}

// TestKilledOnPurpose: a worker that weir has killed has not died by itself.
func TestKilledOnPurpose(t *testing.T) {
	h := host(t, python.Options{})
	h.leave("/sleep?60")
	h.eventually("the worker is busy", func() bool { return h.Stats().Workers[0].InFlight == 1 })
	if err := h.Close(); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Error(err)
	}
	line := regexp.MustCompile(`msg="worker was killed by weir in a request, answered 502" .* request.path=/sleep`)
	h.eventually("the log says so", func() bool { return line.MatchString(h.log.String()) })
}
