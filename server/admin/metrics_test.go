package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/server"
)

// scrape is what Prometheus would be told, by the name of the metric.
func scrape(t *testing.T, client *http.Client) map[string]*dto.MetricFamily {
	t.Helper()
	status, body := get(t, client, "/metrics")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value is that of a metric with the label values, 0 when there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families["weir_"+name].GetMetric() {
		var got []string
		for _, l := range m.GetLabel() {
			got = append(got, l.GetValue())
		}
		if slices.Equal(got, labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// answers is an application that has an answer of each kind.
func answers(parked chan app.Deferred) app.Application {
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		switch string(environ.Path()) {
		case "/deferred":
			parked <- environ.Defer()
			return nil
		case "/blocking":
			return app.Blocking(hello)(environ, start)
		case "/fails":
			panic("as it should")
		case "/slow":
			time.Sleep(20 * time.Millisecond)
		case "/missing":
			start("404 Not Found", nil)
			return nil
		}
		return hello(environ, start)
	}
}

// send sends to the server, and returns all that comes back until the end of the connection.
func (s *site) send(t *testing.T, address int, request string) string {
	t.Helper()
	c := s.dial(t, address)
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// dial opens a connection, which is closed at the end of the test.
func (s *site) dial(t *testing.T, address int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.Addresses()[address], "scgi:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// TestCounts: what clients did is what was counted, whatever they speak.
func TestCounts(t *testing.T) {
	parked := make(chan app.Deferred, 1)
	s := serve(t, server.Config{
		Loops: 2, CountRequests: true, H2C: true, Application: answers(parked), Bind: []string{"scgi:127.0.0.1:0"},
	})
	const web, scgi = 1, 0
	pipeline := strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 9) + "GET /missing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	sent := len(s.send(t, web, pipeline))
	received := len(pipeline)
	for _, request := range []string{
		"GET /blocking HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /fails HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\n folded\r\n\r\n",
	} {
		sent += len(s.send(t, web, request))
		received += len(request)
	}
	variables := "CONTENT_LENGTH\x000\x00SCGI\x001\x00REQUEST_METHOD\x00GET\x00REQUEST_URI\x00/missing\x00"
	gatewayed := fmt.Sprintf("%d:%s,", len(variables), variables)
	sent += len(s.send(t, scgi, gatewayed))
	received += len(gatewayed)

	deferred := s.dial(t, web)
	const wait = "GET /deferred HTTP/1.1\r\nHost: a\r\n\r\n"
	if _, err := io.WriteString(deferred, wait); err != nil {
		t.Fatal(err)
	}
	received += len(wait)
	d := <-parked
	until(t, "the request to wait", func() bool { return value(scrape(t, s.client), "requests_waiting") == 1 })
	families := scrape(t, s.client)
	for name, want := range map[string]float64{"waiting": 1, "idle": 0, "active": 0} {
		if got := value(families, "connections", name); got != want {
			t.Errorf("connections %s: %v, want %v", name, got, want)
		}
	}
	if err := d.Answer(&app.Response{Status: "202 Accepted"}); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(deferred, &counter{&sent})), nil)
	if err != nil || response.StatusCode != 202 {
		t.Fatal(response, err)
	}
	until(t, "the connection to be idle", func() bool { return value(scrape(t, s.client), "connections", "idle") == 1 })

	// One that leaves has had no answer.
	leaver := s.dial(t, web)
	if _, err := io.WriteString(leaver, wait); err != nil {
		t.Fatal(err)
	}
	received += len(wait)
	<-parked
	_ = leaver.Close()
	until(t, "the client to be gone", func() bool { return value(scrape(t, s.client), "requests_total", "none") == 1 })

	families = scrape(t, s.client)
	for code, want := range map[string]float64{"200": 12, "202": 1, "404": 2, "500": 1, "400": 2, "none": 1} {
		if got := value(families, "requests_total", code); got != want {
			t.Errorf("%v requests with %s, want %v", got, code, want)
		}
	}
	for kind, want := range map[string]float64{"repeated Host": 1, "folded field line": 1} {
		if got := value(families, "malformed_requests_total", kind); got != want {
			t.Errorf("%v with %s, want %v: %v", got, kind, want, families["weir_malformed_requests_total"])
		}
	}
	for name, want := range map[string]float64{
		"requests_active": 0, "requests_waiting": 0, "request_duration_seconds": 17, "ready": 1,
		"received_bytes_total": float64(received), "sent_bytes_total": float64(sent), "connections_accepted_total": 10,
	} {
		if got := value(families, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	until(t, "all but one connection to be closed", func() bool {
		total := 0.0
		for _, m := range scrape(t, s.client)["weir_connections_closed_total"].GetMetric() {
			total += m.GetCounter().GetValue()
		}
		return total == 9
	})

	// HTTP/2 is answered off the loops.
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	client := &http.Client{Timeout: patience, Transport: transport}
	for range 3 {
		r, err := client.Get("http://" + s.Addresses()[web] + "/missing")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	until(t, "the requests to be counted", func() bool { return value(scrape(t, s.client), "requests_total", "404") == 5 })
	families = scrape(t, s.client)
	if got := value(families, "connections", "detached"); got != 1 {
		t.Errorf("%v detached connections, want 1", got)
	}
	if got := value(families, "request_duration_seconds"); got != 20 {
		t.Errorf("%v requests have a duration, want 20", got)
	}
	transport.CloseIdleConnections()
	until(t, "the connection to be closed", func() bool { return value(scrape(t, s.client), "connections_closed_total", "detached") == 1 })
}

// counter counts octets.
type counter struct{ n *int }

func (c *counter) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}

// TestNativeHistogram: Prometheus gets the buckets of a native histogram, and others classic ones that tell the same.
func TestNativeHistogram(t *testing.T) {
	s := serve(t, server.Config{Loops: 1, CountRequests: true, Application: answers(nil)})
	s.ask(t, "/slow")
	s.ask(t, "/")
	request, err := http.NewRequest("GET", "http://localhost/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	until(t, "both requests", func() bool { return value(scrape(t, s.client), "request_duration_seconds") == 2 })
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header))
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err != nil {
			t.Fatal("no histogram: ", err)
		}
		if f.GetName() != "weir_request_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		buckets, n := int32(0), int64(0)
		for _, span := range h.GetPositiveSpan() {
			buckets += int32(span.GetLength())
		}
		delta := int64(0)
		for _, d := range h.GetPositiveDelta() {
			delta += d
			n += delta
		}
		if int(buckets) != len(h.GetPositiveDelta()) || n != 2-int64(h.GetZeroCount()) || h.GetSchema() != 3 {
			t.Errorf("spans %v, deltas %v, schema %d", h.GetPositiveSpan(), h.GetPositiveDelta(), h.GetSchema())
		}
		// The slow one: 20 ms or more, whose bucket is the last.
		spans := h.GetPositiveSpan()
		last := int32(-1)
		for _, span := range spans {
			last += span.GetOffset() + int32(span.GetLength())
		}
		if slowest := bound(last); slowest < 0.02 {
			t.Errorf("the last bucket ends at %v s", slowest)
		}
		if classic := h.GetBucket(); len(classic) != 21 || classic[20].GetCumulativeCount() != 2 || classic[20].GetUpperBound() != 64 || classic[8].GetUpperBound() != 1./64 || classic[8].GetCumulativeCount() > 1 {
			t.Errorf("classic buckets %v", classic)
		}
		return
	}
}

// bound is the upper bound of a native bucket with schema 3.
func bound(i int32) float64 {
	b := 1.0
	for range i {
		b *= 1.0905077326652577
	}
	for range -i {
		b /= 1.0905077326652577
	}
	return b
}

// TestSlowScrape: who does not read the answer holds nobody up.
func TestSlowScrape(t *testing.T) {
	s := serve(t, server.Config{Loops: 1, CountRequests: true, Application: hello})
	for range 20 {
		c, err := net.Dial("tcp", s.admin.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(1 << 10)
		if _, err := io.WriteString(c, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 100)); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := s.ask(t, "/"); status != 200 {
		t.Errorf("the server: %d", status)
	}
	scrape(t, s.client)
	if status, _ := get(t, s.client, "/readyz"); status != 200 {
		t.Errorf("/readyz: %d", status)
	}
}

// TestStuckLoop: a scrape does not wait for it, and tells of it.
func TestStuckLoop(t *testing.T) {
	release, running := make(chan struct{}), make(chan struct{})
	s := serve(t, server.Config{Loops: 1, CountRequests: true, Inline: true, Application: func(environ *app.Environ, start app.StartResponse) app.Body {
		if string(environ.Path()) == "/stuck" {
			close(running)
			<-release
		}
		return hello(environ, start)
	}})
	s.ask(t, "/")
	const wait = 50 * time.Millisecond
	until(t, "it to be counted", func() bool { return value(scrape(t, s.client), "requests_total", "200") == 1 })
	c := s.dial(t, 0)
	if _, err := io.WriteString(c, "GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-running
	s.admin.SetScrape(wait)
	until(t, "the lag to grow", func() bool { return value(scrape(t, s.client), "loop_lag_seconds", "0") > 3*wait.Seconds() })
	if n := value(scrape(t, s.client), "requests_total", "200"); n != 1 {
		t.Errorf("%v requests, want 1", n)
	}
	s.admin.SetScrape(patience)
	close(release)
	until(t, "the loop to go on", func() bool { return value(scrape(t, s.client), "requests_total", "200") == 2 })
	s.end()
	<-s.ended
	if n := value(scrape(t, s.client), "requests_total", "200"); n != 2 {
		t.Errorf("%v requests when it has ended, want 2", n)
	}
}

// TestStatistics without counts of requests: the rest is there.
func TestStatistics(t *testing.T) {
	s := serve(t, server.Config{Loops: 2, Application: hello})
	s.ask(t, "/")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stats := s.Statistics(ctx)
	if len(stats.Loops) != 2 || stats.Loops[0].Accepted+stats.Loops[1].Accepted != 1 || stats.Requests.Answered[200] != 0 {
		t.Errorf("%+v", stats.Loops)
	}
}

// TestStatisticsOfTheEnd: what was counted is known of a server that has ended, also when nobody has asked before.
func TestStatisticsOfTheEnd(t *testing.T) {
	s := serve(t, server.Config{Loops: 2, Application: hello, CountRequests: true})
	for range 3 {
		s.ask(t, "/")
	}
	s.end()
	<-s.ended
	if stats := s.Statistics(context.Background()); stats.Requests.Answered[200] != 3 || stats.Loops[0].Accepted+stats.Loops[1].Accepted == 0 {
		t.Errorf("%d requests; %+v", stats.Requests.Answered[200], stats.Loops)
	}
}

// TestDocumented: docs/admin.md has each metric, with its type and labels, and no other.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(weir_\\w+)` \\| (\\w+) \\| ([^|]*) \\|").FindAllSubmatch(page, -1) {
		documented[string(row[1])] = string(row[2]) + " " + strings.Join(labelsIn(string(row[3])), ",")
	}
	actual := map[string]string{}
	for name, f := range allMetrics(t) {
		if !strings.HasPrefix(name, "weir_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		actual[name] = strings.ToLower(f.GetType().String()) + " " + strings.Join(labels, ",")
	}
	for name, what := range actual {
		if documented[name] != what {
			t.Errorf("%s is %q, documented as %q", name, what, documented[name])
		}
	}
	for name := range documented {
		if _, ok := actual[name]; !ok {
			t.Errorf("%s is documented, and not there", name)
		}
	}
}

func labelsIn(cell string) (labels []string) {
	for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cell, -1) {
		labels = append(labels, m[1])
	}
	slices.Sort(labels)
	return labels
}

// allMetrics is a scrape that has all there are. Python's are described by a worker that need not run.
func allMetrics(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	s := serve(t, server.Config{Loops: 1, CountRequests: true, Application: hello})
	topics := hub.New(hub.Options{})
	t.Cleanup(func() { _ = topics.Close() })
	s.admin.WatchHub(topics)
	s.admin.WatchWorkers(pool{})
	s.send(t, 0, "GET / HTTP/1.1\r\n\r\n") // malformed
	s.ask(t, "/")
	var families map[string]*dto.MetricFamily
	until(t, "the requests to be counted", func() bool {
		families = scrape(t, s.client)
		return value(families, "requests_total", "200") == 1
	})
	return families
}

// TestDashboardAndRules: what the dashboard and the rules ask for, there is.
func TestDashboardAndRules(t *testing.T) {
	families := allMetrics(t)
	for _, file := range []string{"../../docs/grafana.json", "../../docs/alerts.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(?:weir|go|process)_[a-z0-9_]+`).FindAll(text, -1)
		if len(names) < 8 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		unknown := map[string]bool{}
		for _, name := range names {
			name := string(name)
			_, whole := families[name]
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if _, ok := families[base]; !ok && !whole {
				unknown[name] = true
			}
		}
		if len(unknown) > 0 {
			t.Errorf("%s names %v, which there is not", file, slices.Sorted(maps.Keys(unknown)))
		}
		if bytes.ContainsRune(text, '\t') {
			t.Errorf("%s has tabs", file)
		}
	}
}
