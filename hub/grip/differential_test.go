package grip_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/hub/grip"
)

// scenario is a client, what the application answers, and what is published. "@" stands for the name of a channel that no other scenario has.
type scenario struct {
	Name    string
	Method  string      // GET if it is not there
	Fields  [][2]string // of the request
	Body    string
	Answers []struct { // of the application, one after the other; the last again
		Code   int // 200 if it is not there
		Fields [][2]string
		Body   string
	}
	Steps  []step
	Repeat string // what the content may have several times in a row, because time passes
}

// step is one of these.
type step struct {
	Publish string // items, without the brackets
	Raw     string // a publish request
	Accept  string // of that
	Await   string // what the client has got at the end
	Held    int    // how often the request was held by now
}

// TestDifferential has the same application answer the same requests behind Pushpin and in weir, and publishes the same: what clients get, octet by
// octet but for what normal takes away, what the application sees, and what publishers are told are equal, but for what docs/pushpin.md lists.
func TestDifferential(t *testing.T) {
	t.Parallel()
	scenarios, listed := readScenarios(t), readDifferences(t)
	behind, inside := newOrigin(scenarios), newOrigin(scenarios)
	server := httptest.NewServer(behind)
	defer server.Close()
	peer := startPushpin(t, strings.TrimPrefix(server.URL, "http://"))
	w := serve(t, grip.Options{Key: []byte(key), MessageWait: 4 * time.Second}, nethttp.Application(inside))

	behindPushpin := party{peer.address, peer.control, behind, peer.subscriptions, 10 * time.Second} // it is tried again
	inWeir := party{w.address, w.control, inside, func(channel string) int {
		if w.proxy.Holds(channel) == 0 {
			return 0
		}
		return inside.asked(channel)
	}, patience}
	// Pushpin loses messages now and then when the machine is busy: what it does counts when it does it three times.
	const attempts = 3
	wrong := make([]string, len(scenarios))
	var running sync.WaitGroup
	for i, s := range scenarios {
		why, different := listed[s.Name]
		delete(listed, s.Name)
		var weir string
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			weir, err = inWeir.run(s, fmt.Sprintf("channel-%d", i))
		}()
		running.Go(func() {
			for n := range attempts {
				pushpin, _ := behindPushpin.run(s, fmt.Sprintf("channel-%d-%d", i, n))
				switch <-done; {
				case err != nil:
					wrong[i] = fmt.Sprintf("weir: %v\n%s", err, weir)
					return
				case different == (pushpin != weir):
					wrong[i] = ""
					return
				case different:
					wrong[i] = fmt.Sprintf("docs/pushpin.md lists a difference (%s), and there is none:\n%s", why, weir)
				default:
					wrong[i] = fmt.Sprintf("Pushpin has\n%s\nweir has\n%s", pushpin, weir)
				}
			}
		})
	}
	running.Wait()
	for i, s := range scenarios {
		if wrong[i] != "" {
			t.Errorf("%s: %s", s.Name, wrong[i])
		}
	}
	for name := range listed {
		t.Errorf("docs/pushpin.md lists %q, which is no scenario", name)
	}
}

func readScenarios(t *testing.T) (scenarios []scenario) {
	t.Helper()
	text, err := os.ReadFile("testdata/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&scenarios); err != nil {
		t.Fatal(err)
	}
	return scenarios
}

// readDifferences reads the table of docs/pushpin.md whose first column is a scenario: the last one is the reason.
func readDifferences(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/pushpin.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| scenario |")
	if !ok {
		t.Fatal("docs/pushpin.md has no table of scenarios")
	}
	listed := make(map[string]string)
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "|") {
			break
		}
		if len(cells) != 3 || cells[2] == "" {
			t.Errorf("not a scenario, a difference and a reason: %q", line)
			continue
		}
		listed[cells[0]] = cells[2]
	}
	return listed
}

// origin is the application of all scenarios.
type origin struct {
	scenarios []scenario

	mu   sync.Mutex // guards what follows
	seen map[string][]string
}

func newOrigin(scenarios []scenario) *origin {
	return &origin{scenarios: scenarios, seen: make(map[string][]string)}
}

// asked is how often the application was asked in the scenario of a channel.
func (o *origin) asked(channel string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen[channel])
}

// ServeHTTP answers "/channel-N" and what is below as the scenario says.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	if n, _ := fmt.Sscanf(r.URL.Path, "/channel-%d", &i); n != 1 {
		switch r.URL.Path {
		case "/held": // ends at once, and fails as long as Pushpin does not hold
			w.Header().Set("Grip-Hold", "stream")
			w.Header().Set("Grip-Channel", "held; prev-id=0")
		case "/warm":
			w.Header().Set("Grip-Hold", "response")
			w.Header().Set("Grip-Channel", "warm")
		}
		_, _ = io.WriteString(w, "plain\n")
		return
	}
	channel, _, _ := strings.Cut(r.URL.Path[1:], "/")
	s := o.scenarios[i]
	content, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	answer := s.Answers[min(len(o.seen[channel]), len(s.Answers)-1)]
	o.seen[channel] = append(o.seen[channel], seen(r, string(content)))
	o.mu.Unlock()
	for _, f := range answer.Fields {
		w.Header().Add(f[0], strings.ReplaceAll(f[1], "@", channel))
	}
	if answer.Code > 0 {
		w.WriteHeader(answer.Code)
	}
	_, _ = io.WriteString(w, strings.ReplaceAll(answer.Body, "@", channel))
}

// seen is what the application sees of a request, as far as GRIP is concerned.
func seen(r *http.Request, content string) string {
	sig := "no Grip-Sig"
	if token := r.Header.Get("Grip-Sig"); token != "" {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(key), nil }, jwt.WithExpirationRequired())
		sig = fmt.Sprintf("Grip-Sig of %v, %v", claims["iss"], err)
	}
	last := strings.Split(strings.Join(r.Header.Values("Grip-Last"), ", "), ", ")
	slices.Sort(last)
	feature := r.Header.Get("Grip-Feature") != ""
	return fmt.Sprintf("%s %s %q, %s, Grip-Last %q, Grip-Feature %t, Grip-Other %q, X-Own %q",
		r.Method, r.URL.RequestURI(), content, sig, last, feature, r.Header.Get("Grip-Other"), r.Header.Get("X-Own"))
}

// party is one of the two, as clients and publishers find it.
type party struct {
	address, control string
	origin           *origin
	held             func(channel string) int
	patience         time.Duration
}

// run runs a scenario, and returns what was seen of it.
func (p party) run(s scenario, channel string) (seen string, err error) {
	fill := strings.NewReplacer("@", channel).Replace
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(p.patience))
	if _, err := io.WriteString(conn, s.request(channel)); err != nil {
		return "", err
	}
	got := new(logged)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(got, conn)
		ended <- err
	}()
	var told strings.Builder
	for _, step := range s.Steps {
		switch {
		case step.Publish != "":
			told.WriteString(p.publish(`{"items":[`+fill(step.Publish)+`]}`, step.Accept))
		case step.Raw != "":
			told.WriteString(p.publish(fill(step.Raw), step.Accept))
		case step.Await != "":
			err = errors.Join(err, p.await(func() bool { return strings.Contains(content(got.String()), fill(step.Await)) }, step))
		case step.Held > 0:
			err = errors.Join(err, p.await(func() bool { return p.held(channel) >= step.Held }, step))
		}
	}
	err = errors.Join(err, <-ended)
	p.origin.mu.Lock()
	asked := slices.Compact(slices.Clone(p.origin.seen[channel])) // Pushpin asks twice now and then
	p.origin.mu.Unlock()
	seen = strings.Join(asked, "\n") + "\n" + told.String() + normal(got.String(), s.Repeat)
	return strings.ReplaceAll(seen, channel, "@"), err
}

// request is the request of a scenario.
func (s scenario) request(channel string) string {
	method := s.Method
	if method == "" {
		method = "GET"
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s /%s?a=b HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n", method, channel)
	for _, f := range s.Fields {
		fmt.Fprintf(&head, "%s: %s\r\n", f[0], f[1])
	}
	if s.Body != "" {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(s.Body))
	}
	return head.String() + "\r\n" + s.Body
}

// await waits until a step is done.
func (p party) await(condition func() bool, s step) error {
	for deadline := time.Now().Add(p.patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("in vain: %+v", s)
		}
	}
	return nil
}

// publish sends a publish request, and returns what is answered.
func (p party) publish(body, accept string) string {
	r, err := http.NewRequest("POST", p.control+"/publish/", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return fmt.Sprintf("published: %s, %s: %q\n", response.Status, response.Header.Get("Content-Type"), text)
}

// ofConnection are the fields that normal takes away: each server has its own, or they are about a connection and its framing.
var ofConnection = regexp.MustCompile(`(?i)^(date|server|connection|keep-alive|transfer-encoding|content-length):`)

// normal is a response with its content as it was before it was framed, repeat there once, and its fields in order of their names.
func normal(response, repeat string) string {
	head, _, _ := strings.Cut(response, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	fields := slices.DeleteFunc(lines[1:], ofConnection.MatchString)
	slices.SortStableFunc(fields, func(a, b string) int {
		name := func(s string) string { n, _, _ := strings.Cut(s, ":"); return strings.ToLower(n) }
		return strings.Compare(name(a), name(b))
	})
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(response)), nil)
	if err != nil {
		return fmt.Sprintf("%q: %v", response, err)
	}
	body, err := io.ReadAll(r.Body)
	for repeat != "" && bytes.Contains(body, []byte(repeat+repeat)) {
		body = bytes.ReplaceAll(body, []byte(repeat+repeat), []byte(repeat))
	}
	return fmt.Sprintf("%s\n%s\n%q, %v", lines[0], strings.Join(fields, "\n"), body, err)
}

// content is what a client has got of the content so far.
func content(response string) string {
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(response)), nil)
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	return string(body)
}
