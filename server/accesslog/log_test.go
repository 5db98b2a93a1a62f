package accesslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/accesslog"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 20 * time.Second

// buffer is what a log and a logger write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	take func(p []byte) (int, error) // instead, when not nil
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := len(p), error(nil)
	if b.take != nil {
		n, err = b.take(p)
	}
	b.text.Write(p[:n])
	return n, err
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) set(take func(p []byte) (int, error)) {
	b.mu.Lock()
	b.take = take
	b.mu.Unlock()
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func newLog(w io.Writer) (log *accesslog.Log, messages *buffer) {
	messages = &buffer{}
	return accesslog.New(w, accesslog.Options{Format: accesslog.Common, Logger: slog.New(slog.NewTextHandler(messages, nil))}), messages
}

func entry(text string) *accesslog.Entry {
	return &accesslog.Entry{RequestLine: []byte(text), Status: 200}
}

// TestDate: lines have the local time, which is read again when a second is over.
func TestDate(t *testing.T) {
	var out buffer
	log, _ := newLog(&out)
	s := log.Scribe()
	before := time.Now().Truncate(time.Second)
	s.Append(0, entry("first"))
	s.Append(int64(3*time.Second), entry("second"))
	log.Close()
	for line := range strings.Lines(out.String()) {
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", line[strings.Index(line, "[")+1:strings.Index(line, "]")])
		if err != nil || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%q: %v, %v", line, at, err)
		}
	}
}

// TestFlushedSoon: a line does not wait for others.
func TestFlushedSoon(t *testing.T) {
	var out buffer
	log, _ := newLog(&out)
	defer log.Close()
	s := log.Scribe()
	for i := range 2 { // the second time nothing wakes the writer but this line
		began := time.Now()
		s.Append(0, entry("alone"))
		until(t, "the line", func() bool { return strings.Count(out.String(), "alone") == i+1 })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

// TestFlushedAtTheEnd: Close writes what there is, and ends the writer.
func TestFlushedAtTheEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	var out buffer
	log, messages := newLog(&out)
	first, second := log.Scribe(), log.Scribe()
	first.Append(0, entry("a"))
	second.Append(0, entry("b"))
	log.Close()
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"a"`) || !strings.Contains(got, `"b"`) {
		t.Errorf("got %q", got)
	}
	log.Close() // harmless
	if messages.String() != "" {
		t.Errorf("it logged %q", messages)
	}
	until(t, "the writer to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestConcurrency: all lines arrive whole, once, and those of a loop in order.
func TestConcurrency(t *testing.T) {
	const loops, lines = 4, 6000 // some 500 KB a loop: less than what the queue holds
	var out buffer
	log, messages := newLog(&out)
	var group sync.WaitGroup
	for loop := range loops {
		s := log.Scribe()
		group.Go(func() {
			for i := range lines {
				s.Append(int64(i)*int64(time.Millisecond), entry(fmt.Sprintf("GET /%d/%d HTTP/1.1", loop, i)))
				if i%1000 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	group.Wait()
	log.Close()
	if log.Dropped() != 0 {
		t.Fatalf("%d lines were dropped: %s", log.Dropped(), messages)
	}
	whole := regexp.MustCompile(`^- - - \[[^]]+\] "GET /(\d)/(\d+) HTTP/1.1" 200 -\n$`)
	var next [loops]int
	for line := range strings.Lines(out.String()) {
		match := whole.FindStringSubmatch(line)
		if match == nil {
			t.Fatalf("got %q", line)
		}
		loop, _ := strconv.Atoi(match[1])
		if i, _ := strconv.Atoi(match[2]); i != next[loop] {
			t.Fatalf("loop %d: line %d, want %d", loop, i, next[loop])
		}
		next[loop]++
	}
	if next != [loops]int{lines, lines, lines, lines} {
		t.Errorf("got %v", next)
	}
}

// TestBlockedWriter: lines that find no room are dropped and counted, the loop does not wait, and what found room is
// written when the writer goes on.
func TestBlockedWriter(t *testing.T) {
	var out buffer
	release := make(chan struct{})
	out.set(func(p []byte) (int, error) { <-release; return len(p), nil })
	log, messages := newLog(&out)
	s := log.Scribe()
	const lines = 3 * accesslog.PageSize * accesslog.QueueLength / 1000
	text := strings.Repeat("x", 1000)
	for range lines {
		s.Append(0, entry(text)) // must return
	}
	dropped := log.Dropped()
	if dropped < lines/2 || dropped > lines*3/4 {
		t.Errorf("%d of %d lines were dropped; the queue has room for a third", dropped, lines)
	}
	message := fmt.Sprintf("lines=%d", dropped)
	until(t, "the count to be logged", func() bool { return strings.Contains(messages.String(), message) })
	s.Append(0, entry(text))
	close(release)
	log.Close()
	if got := strings.Count(out.String(), "\n"); got != lines+1-int(log.Dropped()) {
		t.Errorf("%d lines were written, %d of %d dropped", got, log.Dropped(), lines+1)
	}
	if got := strings.Count(messages.String(), "dropped"); got > 2 {
		t.Errorf("it logged %d times: %s", got, messages)
	}
}

// TestWriterThatNeverReturns: the end of the server does not wait for it.
func TestWriterThatNeverReturns(t *testing.T) {
	release := make(chan struct{})
	var out buffer
	out.set(func(p []byte) (int, error) { <-release; return len(p), nil })
	log, messages := newLog(&out)
	log.Scribe().Append(0, entry("a"))
	log.Close()
	if !strings.Contains(messages.String(), "last lines are lost") {
		t.Errorf("it logged %q", messages)
	}
	close(release)
}

// TestFullDisk: one message an episode; lines that cannot be written are lost, and the ones after them are whole.
func TestFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	var out buffer
	log, messages := newLog(&out)
	s := log.Scribe()
	// step has a line written, in whatever way the disk is in.
	step := func(text string, take func(p []byte) (int, error)) {
		t.Helper()
		done := make(chan struct{}, 10)
		out.set(func(p []byte) (int, error) {
			n, err := take(p)
			if err != nil || len(p) > len("\n") { // the end of a torn line goes before what is next
				done <- struct{}{}
			}
			return n, err
		})
		s.Append(0, entry(text))
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("nothing is written")
		}
	}
	good := func(p []byte) (int, error) { return len(p), nil }
	step("a", good)
	step("b", func([]byte) (int, error) { return 5, full })
	step("c", func([]byte) (int, error) { return 0, full })
	step("d", good)
	step("e", func([]byte) (int, error) { return 0, full }) // the same episode
	step("f", func(p []byte) (int, error) { log.Calm(); return len(p), nil })
	step("g", func([]byte) (int, error) { return 0, full }) // another one
	log.Close()
	var texts []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, "\n") {
			t.Errorf("torn: %q", line)
		}
		if _, text, ok := strings.Cut(line, `] "`); ok {
			texts = append(texts, text[:1])
		} else if line != "- - -\n" {
			t.Errorf("got %q", line)
		}
	}
	if got := strings.Join(texts, ""); got != "adf" {
		t.Errorf("lines %q in %q", got, out.String())
	}
	got := messages.String()
	if strings.Count(got, "cannot be written") != 2 || strings.Count(got, "written again") != 1 || !strings.Contains(got, "lost=3") {
		t.Errorf("it logged\n%s", got)
	}
	if strings.Count(got, "no space left") != 2 || strings.Count(got, "\n") != 4 {
		t.Errorf("it logged\n%s", got)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, format := range []accesslog.Format{accesslog.Common, accesslog.Combined, accesslog.JSON} {
		b.Run(string(format), func(b *testing.B) {
			log := accesslog.New(io.Discard, accesslog.Options{Format: format, Logger: slog.New(slog.DiscardHandler)})
			defer log.Close()
			s := log.Scribe()
			e := &accesslog.Entry{Remote: netip.MustParseAddr("192.0.2.7"), RequestLine: []byte("GET /plaintext HTTP/1.1"), Status: 200, Octets: 13}
			e.Begun = accesslog.Now()
			b.ReportAllocs()
			for b.Loop() {
				s.Append(0, e)
			}
		})
	}
}
