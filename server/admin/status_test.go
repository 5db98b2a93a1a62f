package admin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// pool stands in for Python's workers.
type pool struct{}

func (pool) Stats() python.Stats {
	return python.Stats{Workers: []python.WorkerStats{{PID: 1, InFlight: 1, RSS: 1 << 20}, {PID: 2, Place: 1}}, Waiting: 3, Died: 4, Given: 5}
}

func TestStatus(t *testing.T) {
	s := serve(t, server.Config{Loops: 2, CountRequests: true, Application: hello, MaxConnections: 77})
	s.admin.WatchWorkers(pool{})
	s.ask(t, "/")
	var st admin.Status
	until(t, "the request to be counted", func() bool {
		_, body := get(t, s.client, "/status")
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.DisallowUnknownFields()
		st = admin.Status{}
		if err := decoder.Decode(&st); err != nil {
			t.Fatal(err)
		}
		return st.Requests.Codes["200"] == 1
	})
	switch {
	case st.Version != server.Version || st.PID != os.Getpid() || st.State != "serving" || len(st.Lacking) != 0 || st.Uptime <= 0:
	case len(st.Addresses) != 1 || len(st.Loops) != 2 || !st.Loops[0].Answers || st.Limits["connections"] != 77 || st.Limits["keep_alive"] != 75:
	case len(st.Workers) != 2 || st.Workers[0].RSS != 1<<20 || st.Queued != 3 || st.WorkerDeaths != 4 || st.Hub != nil:
	case st.Requests.Total != 1 || len(st.Requests.Latency) != 1 || st.Requests.Latency[0][1] != 1:
	default:
		return
	}
	t.Errorf("%+v", st)
}

// TestPage: it is one file that fetches nothing from elsewhere.
func TestPage(t *testing.T) {
	_, client := listen(t, admin.Options{Address: "127.0.0.1:0"})
	r, err := client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var page bytes.Buffer
	if _, err := page.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	if policy := r.Header.Get("Content-Security-Policy"); r.StatusCode != 200 || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("%d, policy %q", r.StatusCode, policy)
	}
	for _, foreign := range []string{"src=", "@import", "https:", "innerHTML"} {
		if strings.Contains(page.String(), foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}

// TestDocumentsParse: a dashboard is JSON with panels, rules are YAML with what Prometheus wants of them.
func TestDocumentsParse(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.Title == "" || len(dashboard.Panels) < 6 {
		t.Errorf("dashboard %q has %d panels", dashboard.Title, len(dashboard.Panels))
	}
	for _, p := range dashboard.Panels {
		if p.Title == "" || p.Type == "" || p.GridPos.W == 0 || len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		for _, target := range p.Targets {
			if !balanced(target.Expr) {
				t.Errorf("%s: %q", p.Title, target.Expr)
			}
		}
	}
	if text, err = os.ReadFile("../../docs/alerts.yml"); err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			if g.Name == "" || r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || !balanced(r.Expr) {
				t.Errorf("rule %+v", r)
			}
		}
	}
	if n < 6 {
		t.Errorf("%d rules", n)
	}
}

// balanced tells whether an expression is not empty and its brackets match.
func balanced(expression string) bool {
	var open []rune
	for _, c := range expression {
		switch i := strings.IndexRune(")]}", c); {
		case strings.ContainsRune("([{", c):
			open = append(open, c)
		case i < 0:
		case len(open) == 0 || open[len(open)-1] != rune("([{"[i]):
			return false
		default:
			open = open[:len(open)-1]
		}
	}
	return expression != "" && len(open) == 0
}
