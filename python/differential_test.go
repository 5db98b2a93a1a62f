package python_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// seed makes the requests. With another one the list of differences would have to be another.
const seed = 3333

// TestDifferential sends 300 generated requests to the same application under weir, gunicorn, waitress and wsgiref. Each difference must
// be explained in testdata/differential/differences.txt, and each explanation must still be needed.
func TestDifferential(t *testing.T) {
	list := explanations(t)
	answers, inputs, versions := ways(t)
	probes := generate(seed, answers, inputs)
	if len(probes) != probeCount {
		t.Fatalf("%d requests, want %d", len(probes), probeCount)
	}
	t.Logf("%d requests of seed %d, %s", len(probes), seed, versions)
	weir, peers := gateways(t)
	var found []difference
	for i := range probes {
		p := &probes[i]
		sights := make([]sight, 1+len(peers))
		var all sync.WaitGroup
		for j, g := range append([]*gateway{weir}, peers...) {
			all.Go(func() {
				var err error
				if sights[j], err = g.look(p); err != nil {
					t.Errorf("%s: %s: %v", g.name, p.name, err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		for j, peer := range peers {
			found = append(found, compare(p, peer.name, sights[0], sights[1+j])...)
		}
	}
	for _, wrong := range judge(list, found) {
		t.Error(wrong)
	}
	t.Logf("%d differences, %d explanations", len(found), len(list))
}

// TestJudge shows that the list cannot hide what it does not name, nor keep what is gone.
func TestJudge(t *testing.T) {
	const stanza = "name: n\npeers: a b\nwhen: x|y !z\nwhat: status\nweir: 4..\nsays: s\nright: weir\nwhy: w\n"
	fits := difference{"a", "p", map[string]bool{"y": true}, "status", "400", "200"}
	other := func(change func(*difference)) difference {
		d := fits
		change(&d)
		return d
	}
	atB := other(func(d *difference) { d.peer = "b" })
	for _, c := range []struct {
		name  string
		found []difference
		wrong int
	}{
		{"all fit", []difference{fits, atB}, 0},
		{"one peer does it no more", []difference{fits}, 1},
		{"none does it any more", nil, 2},
		{"another peer", []difference{fits, atB, other(func(d *difference) { d.peer = "c" })}, 1},
		{"something else", []difference{fits, atB, other(func(d *difference) { d.what = "status code" })}, 1},
		{"another value", []difference{fits, atB, other(func(d *difference) { d.weir = "4000" })}, 1},
		{"without the tag", []difference{fits, atB, other(func(d *difference) { d.tags = nil })}, 1},
		{"with the wrong tag", []difference{fits, atB, other(func(d *difference) { d.tags = map[string]bool{"x": true, "z": true} })}, 1},
	} {
		list, err := readExplanations(stanza)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := judge(list, c.found); len(wrong) != c.wrong {
			t.Errorf("%s: %q", c.name, wrong)
		}
	}
	for _, line := range []string{"says: s", "right: weir", "why: w", "peers: a b", "what: status"} {
		if list, err := readExplanations(strings.Replace(stanza, line+"\n", "", 1)); err == nil && len(list) > 0 {
			t.Errorf("an explanation without %q is taken", line)
		}
	}
}

// TestCompare shows what counts as a difference.
func TestCompare(t *testing.T) {
	p := &probe{name: "p"}
	weir := sight{responses: []seen{{"answer": "200", "content": "a"}, {"answer": "200"}}, conduct: seen{"in step": "yes", "calls": "1"}}
	for _, c := range []struct {
		name  string
		other sight
		what  string
	}{
		{"the same", weir, ""},
		{"content", sight{[]seen{{"answer": "200", "content": "b"}, {"answer": "200"}}, weir.conduct}, "content"},
		{"nothing there", sight{[]seen{{"answer": "200"}, {"answer": "200"}}, weir.conduct}, "content"},
		{"one thing more", sight{[]seen{{"answer": "200", "content": "a", "more": ""}, {"answer": "200"}}, weir.conduct}, "more"},
		{"the answer, which hides the rest", sight{[]seen{{"answer": "400"}}, weir.conduct}, "answer"},
		{"no second", sight{weir.responses[:1], weir.conduct}, "answer"},
		{"conduct", sight{weir.responses, seen{"in step": "yes", "calls": "2"}}, "calls"},
		{"out of step, where counts mean nothing", sight{weir.responses, seen{"in step": "no", "calls": "2"}}, "in step"},
	} {
		var what []string
		for _, d := range compare(p, "other", weir, c.other) {
			what = append(what, d.what)
		}
		if strings.Join(what, " ") != c.what {
			t.Errorf("%s: got %q, want %q", c.name, what, c.what)
		}
	}
}

var rewrite = flag.Bool("rewrite", false, "write the list of differences into docs/python-differences.md")

// TestDifferencesDocument holds docs/python-differences.md to the list.
func TestDifferencesDocument(t *testing.T) {
	const path, begin, end = "../docs/python-differences.md", "<!-- begin of the list -->\n", "<!-- end of the list -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s does not have the lines %q and %q", path, begin, end)
	}
	want := before + begin + tables(explanations(t)) + end + after
	if want == string(text) {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not what testdata/differential/differences.txt says: go test ./python -run TestDifferencesDocument -rewrite", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tables shows a list as Markdown, a table for each section.
func tables(list []*explanation) string {
	var b strings.Builder
	count := func(right string) int {
		return len(slices.DeleteFunc(slices.Clone(list), func(e *explanation) bool { return e.right != right }))
	}
	fmt.Fprintf(&b, "\nOf %d differences, weir is right in %d, the other in %d, both may do what they do in %d, and neither is right in %d.\n",
		len(list), count("weir"), count("peer"), count("both"), count("neither"))
	section := ""
	for _, e := range list {
		if e.section != section {
			section = e.section
			fmt.Fprintf(&b, "\n## %s\n\n| about | differs | in what | right | because |\n| --- | --- | --- | --- | --- |\n", section)
		}
		cells := []string{e.name, strings.Join(e.peers, ", "), e.says, e.right, e.why}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteByte('\n')
	return b.String()
}
