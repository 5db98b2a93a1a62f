package httpparse

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// minCases guards against a corpus that is not found or not understood.
const minCases = 170

// TestCorpus replays every case in all the ways in which its octets may arrive.
func TestCorpus(t *testing.T) {
	cases := corpus(t)
	if len(cases) < minCases {
		t.Fatalf("%d cases, want at least %d", len(cases), minCases)
	}
	met := make(map[string]bool)
	for _, c := range cases {
		if met[c.name] {
			t.Errorf("%s stands twice in the corpus", c.name)
		}
		met[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			replay := replayHead
			if c.body {
				replay = replayBody
			}
			check := func(how string, cuts []int) {
				t.Helper()
				if got := replay(t, c.input, c.limits, cuts); got != c.want {
					t.Fatalf("%s: got\n%s\nwant\n%s", how, got, c.want)
				}
			}
			check("whole", nil)
			everywhere := make([]int, 0, len(c.input))
			for at := range len(c.input) {
				everywhere = append(everywhere, at)
				check(fmt.Sprintf("split at %d", at), []int{at})
			}
			check("an octet at a time", everywhere)
			random := rand.New(rand.NewPCG(9112, 9110))
			for round := range 20 {
				check(fmt.Sprintf("random pieces, round %d", round), randomCuts(random, len(c.input)))
			}
		})
	}
}

// randomCuts returns up to ten places in ascending order.
func randomCuts(random *rand.Rand, length int) []int {
	cuts := make([]int, random.IntN(10))
	for i := range cuts {
		cuts[i] = random.IntN(length + 1)
	}
	slices.Sort(cuts)
	return cuts
}

// TestEveryKindHasACase keeps the corpus complete as kinds are added.
func TestEveryKindHasACase(t *testing.T) {
	var wants strings.Builder
	for _, c := range corpus(t) {
		wants.WriteString(c.want)
	}
	for kind := Kind(1); kind < kinds; kind++ {
		line := fmt.Sprintf("refuse %d %v\n", (&Error{Kind: kind}).Status(), kind)
		if !strings.Contains(wants.String(), line) {
			t.Errorf("no case for %q", line)
		}
	}
}

func TestKindsAreDescribed(t *testing.T) {
	texts := make(map[string]Kind)
	for kind := Kind(1); kind < kinds; kind++ {
		text := kind.String()
		if other, twice := texts[text]; twice || text == "" {
			t.Errorf("kinds %d and %d are both %q", other, kind, text)
		}
		texts[text] = kind
		switch status := (&Error{Kind: kind}).Status(); status {
		case 400, 414, 431, 501, 505:
		default:
			t.Errorf("%v: status %d", kind, status)
		}
	}
	if got, want := kinds.String(), fmt.Sprintf("Kind(%d)", kinds); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e := &Error{Kind: BareLF, Offset: 7}
	if got, want := e.Error(), "httpparse: LF without CR at octet 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReset parses all heads with one Request, which must leave nothing of one
// request in the next.
func TestReset(t *testing.T) {
	var reused Request
	for _, c := range corpus(t) {
		if c.body {
			continue
		}
		var fresh Request
		reused.Reset()
		n, err := reused.Parse(c.input, &c.limits)
		wantN, wantErr := fresh.Parse(c.input, &c.limits)
		if n != wantN || !reflect.DeepEqual(err, wantErr) {
			t.Errorf("%s: got %d, %v, want %d, %v", c.name, n, err, wantN, wantErr)
		}
		if len(reused.Fields) == 0 && len(fresh.Fields) == 0 {
			reused.Fields = fresh.Fields
		}
		fresh.judged = reused.judged // the one thing that is kept on purpose
		if err == nil && !reflect.DeepEqual(reused, fresh) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", c.name, reused, fresh)
		}
	}
}

// TestDroppedEmptyLines says when the caller drops octets.
func TestDroppedEmptyLines(t *testing.T) {
	limits := DefaultLimits()
	var r Request
	for _, step := range []struct {
		buf string
		n   int
		err error
	}{
		{"", 0, NeedMore},
		{"\r", 0, NeedMore},
		{"\r\n", 2, NeedMore},
		{"\r\n\r\n", 4, NeedMore},
		{"\r\n\r", 0, NeedMore},
		{"\r\n\r\n", 4, NeedMore},
		{"\r\nGE", 0, NeedMore},
		{"\r\nGET / HTTP/1.0\r\n\r\n", 20, nil},
	} {
		if n, err := r.Parse([]byte(step.buf), &limits); n != step.n || err != step.err {
			t.Fatalf("Parse(%q) = %d, %v, want %d, %v", step.buf, n, err, step.n, step.err)
		}
	}
}

// TestDefaultLimits holds that input without an end is refused as soon as the
// limit is reached, not when its line ends.
func TestDefaultLimits(t *testing.T) {
	const line = "GET / HTTP/1.1\r\n"
	for _, test := range []struct {
		name, start, more string
		kind              Kind
		octets            int
	}{
		{"method", "", "A", MethodTooLong, 8 << 10},
		{"target", "GET /", "a", RequestLineTooLong, 8 << 10},
		{"empty lines", "", "\r\n", TooManyEmptyLines, 8<<10 + 2},
		{"name", line, "a", FieldTooLarge, len(line) + 16<<10},
		{"value", line + "X:", "a", FieldTooLarge, len(line) + 16<<10},
		{"fields", line, "a:\r\n", TooManyFields, len(line) + 100*4 + 1},
		{"section", line, strings.Repeat("a", 1000) + ":\r\n", FieldSectionTooLarge, len(line) + 64<<10},
	} {
		t.Run(test.name, func(t *testing.T) {
			limits := DefaultLimits()
			input := []byte(test.start + strings.Repeat(test.more, 100<<10/len(test.more)))
			var r Request
			if n, err := r.Parse(input[:test.octets-1], &limits); n > 0 && n < len(input[:test.octets-1]) || err != NeedMore {
				t.Fatalf("%d octets: %d, %v", test.octets-1, n, err)
			}
			for _, octets := range []int{test.octets, len(input)} {
				r.Reset()
				_, err := r.Parse(input[:octets], &limits)
				if e, ok := err.(*Error); !ok || e.Kind != test.kind {
					t.Errorf("%d octets: %v, want %v", octets, err, test.kind)
				}
			}
		})
	}
}

func TestLimitsBeyondSpans(t *testing.T) {
	const most = int(^uint(0) >> 1)
	limits := Limits{RequestLine: most, FieldSection: most, FieldLine: most, Fields: most}
	var r Request
	if n, err := r.Parse([]byte(shortGet), &limits); n != len(shortGet) || err != nil {
		t.Fatal(n, err)
	}
	limits = Limits{RequestLine: -1, FieldSection: -1, FieldLine: -1, Fields: -1}
	r.Reset()
	if _, err := r.Parse([]byte(shortGet), &limits); err == nil || err == NeedMore {
		t.Fatal(err)
	}
}

// TestParseTwice holds that spans are the same after the head has moved.
func TestParseTwice(t *testing.T) {
	limits := DefaultLimits()
	head := browserGet(t)
	var r Request
	for _, end := range []int{10, 100, 300, len(head) - 1} {
		if n, err := r.Parse(bytes.Clone(head[:end]), &limits); n != 0 || err != NeedMore {
			t.Fatal(n, err)
		}
	}
	if n, err := r.Parse(bytes.Clone(head), &limits); n != len(head) || err != nil {
		t.Fatal(n, err)
	}
	if got, want := string(r.Host.Of(head)), "www.example.org:8080"; got != want {
		t.Errorf("Host is %q, want %q", got, want)
	}
	if len(r.Fields) != 10 {
		t.Errorf("%d fields, want 10", len(r.Fields))
	}
	if view := r.Path.Of(head); cap(view) != len(view) {
		t.Errorf("view of %d octets has capacity %d", len(view), cap(view))
	}
}

func TestNoAllocations(t *testing.T) {
	limits := DefaultLimits()
	for _, head := range [][]byte{browserGet(t), []byte(shortGet)} {
		var r Request
		if allocs := testing.AllocsPerRun(100, func() {
			r.Reset()
			if _, err := r.Parse(head[:len(head)/2], &limits); err != NeedMore {
				t.Fatal(err)
			}
			if _, err := r.Parse(head, &limits); err != nil {
				t.Fatal(err)
			}
		}); allocs != 0 {
			t.Errorf("%v allocations for a head of %d octets", allocs, len(head))
		}
	}
	body := []byte("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n")
	var c Chunked
	if allocs := testing.AllocsPerRun(100, func() {
		c.Reset()
		for rest, done := body, false; !done; {
			var n int
			var err error
			if _, n, done, err = c.Decode(rest, &limits); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for a chunked body", allocs)
	}
}
