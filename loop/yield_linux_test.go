package loop

import (
	"testing"
	"time"
)

// A loop yields as long as that brings events, and loses one per cent of the time where it does not.
func TestYieldingPauses(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	type look struct {
		took   time.Duration
		events int
		pause  time.Duration
	}
	tests := []struct {
		name  string
		looks []look
	}{
		{"clients run", []look{{200 * us, 32, 0}, {200 * us, 32, 0}, {10 * us, 1, 0}}},
		{"not yielded", []look{{0, 0, 0}, {0, 5, 0}}},
		{"nobody is there", []look{{400 * time.Nanosecond, 1, 40 * us}, {500 * time.Nanosecond, 30, 50 * us}}},
		{"others compute", []look{{4 * ms, 0, 400 * ms}, {4 * ms, 100, 300 * ms}}},
		{"a client computes for once", []look{{200 * us, 300, 0}, {2 * ms, 32, 0}, {2 * ms, 32, (2*2*ms - 640*us - 2800*us) * vainPause}}},
		{"what was brought in is forgotten but for some turns", []look{{us, 1 << 20, 0}, {mostCredit, 0, 0}, {4 * ms, 0, 400 * ms}}},
		{"the process was stopped", []look{{time.Minute, 0, vainPause * mostCredit}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var y yielding
			for i, l := range tt.looks {
				y.took, y.resume = l.took, time.Hour
				y.found(l.events)
				if pause := y.resume - time.Hour; pause != l.pause {
					t.Errorf("look %d: a pause of %v, want %v", i, pause, l.pause)
				}
				if y.took != 0 {
					t.Errorf("look %d: it counts twice", i)
				}
			}
		})
	}
}

// While the loop pauses, there is no yield.
func TestYieldingResumes(t *testing.T) {
	y := yielding{resume: time.Since(epoch) + time.Hour}
	y.yield()
	if y.took != 0 {
		t.Error("yielded in a pause")
	}
	y.resume = time.Since(epoch)
	y.yield()
	if y.took == 0 {
		t.Error("not yielded behind the pause")
	}
}
