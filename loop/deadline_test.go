//go:build unix

package loop

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// moment sets the time of a loop that is not started, and expires what is due.
func moment(l *Loop, at time.Duration) {
	l.now = int64(at)
	l.wheel.advance(l.now)
	l.settle()
}

// stallTimeout is the write timeout of still reactors.
const stallTimeout = 60 * time.Second

// still returns a loop that is not started, at time 0.
func still(t *testing.T) *Loop {
	t.Helper()
	l := newReactor(t, 1).Loops()[0]
	l.reactor.writeTimeout.Store(int64(stallTimeout))
	l.now = 0
	l.wheel.init(0)
	return l
}

func TestDeadline(t *testing.T) {
	type step struct {
		at  time.Duration
		set time.Duration // -1: only time passes
	}
	const s, pass = time.Second, -1
	tests := []struct {
		name  string
		steps []step
		want  []time.Duration // when Timeout was called
	}{
		{"fires once", []step{{0, s}, {s / 2, pass}, {2 * s, pass}, {90 * s, pass}}, []time.Duration{2 * s}},
		{"not early", []step{{0, s}, {s - 1, pass}}, nil},
		{"moved ahead", []step{{0, s}, {s / 2, 2 * s}, {2 * s, pass}, {3 * s, pass}, {4 * s, pass}}, []time.Duration{3 * s}},
		{"moved nearer", []step{{0, 10 * s}, {s, s}, {2*s + 16e6, pass}, {20 * s, pass}}, []time.Duration{2*s + 16e6}},
		{"nearer, then ahead", []step{{0, 10 * s}, {0, s}, {0, 5 * s}, {2 * s, pass}, {6 * s, pass}, {20 * s, pass}}, []time.Duration{6 * s}},
		{"cancelled", []step{{0, s}, {s / 2, 0}, {5 * s, pass}}, nil},
		{"cancelled, set anew", []step{{0, s}, {s / 2, 0}, {s / 2, s}, {s + 16e6, pass}, {2 * s, pass}}, []time.Duration{2 * s}},
		{"anew after it fired", []step{{0, s}, {2 * s, pass}, {2 * s, s}, {4 * s, pass}}, []time.Duration{2 * s, 4 * s}},
		{"hours", []step{{0, 3600 * s}, {70 * s, pass}, {140 * s, pass}, {3599 * s, pass}, {3601 * s, pass}}, []time.Duration{3601 * s}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := still(t)
			var fired []time.Duration
			p := &peer{do: hooks{timeout: func(*peer) { fired = append(fired, time.Duration(l.now)) }}}
			l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int { return len(b) })
			for _, step := range tt.steps {
				moment(l, step.at)
				if step.set >= 0 {
					p.SetDeadline(step.set)
				}
			}
			if !slices.Equal(fired, tt.want) {
				t.Errorf("Timeout at %v, want %v", fired, tt.want)
			}
			p.Abort(ReasonDone)
			p.SetDeadline(time.Second)
			if l.wheel.next() != 1<<63-1 {
				t.Error("a closed connection has a timer")
			}
		})
	}
}

// tolerance is how much too early a timer may be here: the loop's time is that of the event's begin, or somewhat older.
const tolerance = 40 * time.Millisecond

func TestDeadlineByClock(t *testing.T) {
	const d = 100 * time.Millisecond
	type firing struct {
		after time.Duration
		name  string
	}
	fired := make(chan firing, 10)
	var start time.Time
	server := serveOne(t, hooks{
		opened: func(p *peer) {
			start = time.Now()
			p.SetDeadline(3 * time.Hour)
			p.SetDeadline(d)
			p.Loop().After(d/2, func() { fired <- firing{time.Since(start) - d/2, "After"} })
			p.Loop().After(time.Hour, func() { t.Error("an hour has passed") })
		},
		timeout: func(p *peer) {
			fired <- firing{time.Since(start) - d, "deadline"}
			p.SetDeadline(d)
			start = time.Now()
			p.do.timeout = func(p *peer) {
				fired <- firing{time.Since(start) - d, "second deadline"}
				p.Finish(ReasonIdle, false)
			}
		},
	})
	c := dial(t, server)
	for _, want := range []string{"After", "deadline", "second deadline"} {
		f := receive(t, fired, want)
		if f.name != want || f.after < -tolerance || f.after > 5*time.Second {
			t.Errorf("%s %v after its time, want %s", f.name, f.after, want)
		}
	}
	expectEOF(t, c)
}

// Loops set and move alarms while the clock is on its way to others: none may be lost.
func TestManyTimers(t *testing.T) {
	r := newReactor(t, 2)
	r.Start()
	var left atomic.Int64
	left.Store(2000)
	start := time.Now()
	for i := range 2000 {
		l := r.Loops()[i%2]
		d := time.Duration(i%97) * time.Millisecond
		l.Post(func(any) {
			l.After(d, func() {
				if early := d - time.Since(start); early > tolerance {
					t.Errorf("%v early", early)
				}
				l.After(time.Duration(i%13)*time.Millisecond, func() { left.Add(-1) })
			})
		}, nil)
	}
	eventually(t, "all timers ran", func() bool { return left.Load() == 0 })
}

// The handler's deadlines must not reach into the loop's own for closing, or a connection could stay for ever.
func TestClosingDeadlines(t *testing.T) {
	tests := []struct {
		name  string
		takes bool // the client takes output
		limit time.Duration
		want  Reason
	}{
		{"client goes on sending", true, lingerTimeout, ReasonLingerTimeout},
		{"client takes nothing", false, stallTimeout, ReasonStalled},
	}
	for _, tt := range tests {
		for _, set := range []time.Duration{-1, 0, time.Hour} {
			t.Run(fmt.Sprint(tt.name, ", handler sets ", set), func(t *testing.T) {
				l := still(t)
				reasons := make(chan Reason, 2)
				p := &peer{do: hooks{
					data:   func(*peer, []byte) int { t.Error("input after Finish"); return 0 },
					closed: func(_ *peer, r Reason) { reasons <- r },
				}}
				m := l.Connect(p, NewMemoryListener("127.0.0.1", 80), func(b []byte) int {
					if tt.takes {
						return len(b)
					}
					return 0
				})
				p.Write([]byte("answer"))
				p.Finish(ReasonDone, true)
				if set >= 0 {
					p.SetDeadline(set)
				}
				moment(l, tt.limit-time.Second)
				none(t, reasons, "closed early")
				moment(l, tt.limit+time.Second)
				if r := receive(t, reasons, "end"); r != tt.want || !m.Closed() {
					t.Errorf("closed: %v; want %v", r, tt.want)
				}
			})
		}
	}
}
