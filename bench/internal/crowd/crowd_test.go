package crowd

import (
	"testing"
	"time"
)

func TestParseMessage(t *testing.T) {
	for text, want := range map[string]message{
		`{"id":12,"data":"news"}`:                         {12, []byte("news")},
		`{"id": 18446744073709551615, "data": ""}` + "\n": {1<<64 - 1, nil},
		`{"data": "a b", "id": 0}`:                        {0, []byte("a b")},
	} {
		if m, err := parseMessage([]byte(text)); err != nil || m.id != want.id || string(m.data) != string(want.data) {
			t.Errorf("%s: %d %q, %v", text, m.id, m.data, err)
		}
	}
	for _, text := range []string{"", "{}", `{"id":1}`, `{"id":"1","data":"x"}`, `{"id":1,"data":5}`, `{"id":1,"data":"x`, `{"data":"x"}`, `{"id":-1,"data":"x"}`} {
		if m, err := parseMessage([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, m)
		}
	}
}

// TestProbeSpans: a request belongs to a wake that it was due in, or was still unanswered in.
func TestProbeSpans(t *testing.T) {
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	p := &probe{samples: []sample{
		{at(0), time.Millisecond}, {at(5), 6 * time.Millisecond}, {at(10), 2 * time.Millisecond}, {at(15), 3 * time.Millisecond}, {at(20), time.Millisecond},
	}}
	got := p.result([]span{{at(8), at(16)}})
	if got.InWakes != 3 || got.Waking != 6*time.Millisecond || got.Quiet != time.Millisecond || got.Requests != 5 {
		t.Errorf("%+v", got)
	}
}
