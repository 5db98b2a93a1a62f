package python_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is something that a client, or the application, sees of weir and sees otherwise of a peer.
type difference struct {
	peer, probe string
	tags        map[string]bool
	what        string
	weir, other string // absent: "-"
}

func (d difference) String() string {
	return fmt.Sprintf("%s: %s: %s: weir %.300q, %s %.300q", d.peer, d.probe, d.what, d.weir, d.peer, d.other)
}

// absent stands for what is not there.
const absent = "-"

// compare returns the differences of two sights of a probe.
func compare(p *probe, peer string, weir, other sight) (found []difference) {
	add := func(tags map[string]bool, a, b seen, names ...string) {
		for _, name := range names {
			x, inX := a[name]
			y, inY := b[name]
			if !inX {
				x = absent
			}
			if !inY {
				y = absent
			}
			if x != y {
				found = append(found, difference{peer, p.name, tags, name, x, y})
			}
		}
	}
	for i := range max(len(weir.responses), len(other.responses)) {
		tags := p.tags
		if i > 0 {
			tags = map[string]bool{"second": true}
			for tag := range p.tags {
				tags["after-"+tag] = true
			}
		}
		var a, b seen
		if i < len(weir.responses) {
			a = weir.responses[i]
		}
		if i < len(other.responses) {
			b = other.responses[i]
		}
		if a["answer"] != b["answer"] { // all else differs then
			add(tags, a, b, "answer")
			add(p.tags, weir.conduct, other.conduct, "in step", "unclosed bodies")
			return found
		}
		add(tags, a, b, names(a, b)...)
	}
	if weir.conduct["in step"] != other.conduct["in step"] {
		add(p.tags, weir.conduct, other.conduct, "in step")
		return found
	}
	add(p.tags, weir.conduct, other.conduct, names(weir.conduct, other.conduct)...)
	return found
}

// names are what is in one or the other.
func names(a, b seen) (all []string) {
	for name := range a {
		all = append(all, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// explanation is a stanza of differences.txt: which differences it is about, and why they are there.
type explanation struct {
	section                string
	name, says, right, why string
	peers, when            []string
	what, weir, other      *regexp.Regexp
	matched                map[string]int // by peer
}

// readExplanations reads the list: stanzas of lines "key: value", apart by empty lines. A line "# --- title" begins a section.
func readExplanations(text string) (list []*explanation, err error) {
	section := ""
	for stanza := range strings.SplitSeq(text, "\n\n") {
		if title, ok := strings.CutPrefix(stanza, "# --- "); ok {
			section = title
			continue
		}
		e := &explanation{section: section, matched: make(map[string]int)}
		patterns := map[string]string{"what": "", "weir": ".*", "peer": ".*"}
		for line := range strings.SplitSeq(stanza, "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			key, value, ok := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			switch {
			case !ok:
				return nil, fmt.Errorf("no key in %q", line)
			case key == "name":
				e.name = value
			case key == "says":
				e.says = value
			case key == "right":
				e.right = value
			case key == "why":
				e.why = value
			case key == "peers":
				e.peers = strings.Fields(value)
			case key == "when":
				e.when = strings.Fields(value)
			case key == "what", key == "weir", key == "peer":
				patterns[key] = value
			default:
				return nil, fmt.Errorf("unknown key in %q", line)
			}
		}
		if e.name == "" && e.peers == nil {
			continue // a comment
		}
		if e.name == "" || e.says == "" || e.why == "" || len(e.peers) == 0 || patterns["what"] == "" ||
			!slices.Contains([]string{"weir", "peer", "both", "neither"}, e.right) {
			return nil, fmt.Errorf("the explanation %q lacks something, or does not tell who is right", e.name)
		}
		for key, to := range map[string]**regexp.Regexp{"what": &e.what, "weir": &e.weir, "peer": &e.other} {
			if *to, err = regexp.Compile(`(?s)\A(?:` + patterns[key] + `)\z`); err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
		}
		list = append(list, e)
	}
	return list, nil
}

// explains tells whether e is about d. A tag with "!" in front must be absent, of tags with "|" between them one must be there.
func (e *explanation) explains(d difference) bool {
	for _, tag := range e.when {
		tag, not := strings.CutPrefix(tag, "!")
		if slices.ContainsFunc(strings.Split(tag, "|"), func(tag string) bool { return d.tags[tag] }) == not {
			return false
		}
	}
	return slices.Contains(e.peers, d.peer) && e.what.MatchString(d.what) && e.weir.MatchString(d.weir) && e.other.MatchString(d.other)
}

// judge returns what is wrong: differences that nothing explains, and explanations of nothing. The first explanation that fits counts.
func judge(list []*explanation, found []difference) (wrong []string) {
	for _, d := range found {
		i := slices.IndexFunc(list, func(e *explanation) bool { return e.explains(d) })
		if i < 0 {
			wrong = append(wrong, "not explained: "+d.String())
			continue
		}
		list[i].matched[d.peer]++
	}
	for _, e := range list {
		for _, peer := range e.peers {
			if e.matched[peer] == 0 {
				wrong = append(wrong, fmt.Sprintf("nothing any more: %s (%s)", e.name, peer))
			}
		}
	}
	return wrong
}

func explanations(t *testing.T) []*explanation {
	t.Helper()
	text, err := os.ReadFile("testdata/differential/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := readExplanations(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}
