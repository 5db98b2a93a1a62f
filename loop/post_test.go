//go:build unix

package loop

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Functions are posted by many goroutines while the loop has connections to serve. All run, and those of one
// goroutine in order.
func TestPost(t *testing.T) {
	r := newReactor(t, 1)
	l := r.Loops()[0]
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		c := dial(t, server)
		clients.Go(func() {
			buf := make([]byte, 100)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Write(buf); err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Read(buf); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const posters, each = 20, 5000
	var last [posters]int
	var ran atomic.Int64
	var posting sync.WaitGroup
	for i := range posters {
		posting.Go(func() {
			for j := 1; j <= each; j++ {
				l.Post(func(p any) {
					if p.(int) != last[i]+1 {
						t.Errorf("%d ran after %d", p, last[i])
					}
					last[i] = p.(int)
					ran.Add(1)
				}, j)
			}
		})
	}
	posting.Wait()
	eventually(t, "all ran", func() bool { return ran.Load() == posters*each })
	close(stop)
	clients.Wait()
}

// One post at a time, to a loop that is about to sleep: a wake-up that gets lost shows as a hang.
func TestPostToSleepingLoop(t *testing.T) {
	r := newReactor(t, 1)
	r.Start()
	ran := make(chan int)
	for i := range 20_000 {
		r.Loops()[0].Post(func(p any) { ran <- p.(int) }, i)
		if got := receive(t, ran, "run"); got != i {
			t.Fatalf("%d ran instead of %d", got, i)
		}
	}
}

// A function that posts goes on when others have had their turn, and what is posted on the loop runs too.
func TestPostFromLoop(t *testing.T) {
	r := newReactor(t, 1)
	r.Start()
	done := make(chan struct{})
	n := 0
	var again func(any)
	again = func(any) {
		if n++; n == 5*taskBudget {
			close(done)
			return
		}
		r.Loops()[0].Post(again, nil)
	}
	r.Loops()[0].Post(again, nil)
	receive(t, done, "end of the chain")
}

// What is posted for a connection that has closed meanwhile touches no other: not even the one that has its descriptor now.
func TestPostToClosed(t *testing.T) {
	peers := make(chan *peer, 1)
	ends := make(chan Reason, 1)
	r := newReactor(t, 1)
	file, _ := makeFile(t, 100)
	server := serve(t, r, "127.0.0.1:0", ListenOptions{}, hooks{
		opened: func(p *peer) { peers <- p },
		closed: func(_ *peer, r Reason) { ends <- r },
	})
	first := dial(t, server)
	old := receive(t, peers, "connection")
	descriptor := old.fd
	_ = first.Close()
	receive(t, ends, "end")
	// The client's side may have taken the free number: connect until the server's has it.
	var p *peer
	var c stream
	for range 100 {
		c = dial(t, server)
		if p = receive(t, peers, "connection"); p.fd == descriptor {
			break
		}
	}
	if p.fd != descriptor {
		t.Fatal("the descriptor was not used again")
	}
	on(t, old.Loop(), func() {
		if _, err := c.Write([]byte("for the new one")); err != nil {
			t.Error(err)
		}
		old.Write([]byte("wrong"))
		old.Write(make([]byte, batchSize))
		old.Flush()
		old.SetBuffer(append(old.Buffer(), "wrong"...))
		old.SendFile(file, 0, 100)
		old.SetDeadline(1)
		old.Hold()
		old.Release()
		old.ReadNow()
		old.Finish(ReasonDone, true)
		old.Abort(ReasonDone)
		if old.IsOpen() {
			t.Error("it is open")
		}
	})
	expect(t, c, "for the new one")
	none(t, ends, "closed again")
	if r.Connections() == 0 {
		t.Error("the new one is not counted")
	}
}

// Posting to a loop that has stopped does nothing: above all it does not write to the waker's old descriptor.
func TestPostAfterStop(t *testing.T) {
	for range 20 {
		r, err := New(Options{Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.Start()
		l := r.Loops()[0]
		var posters sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			posters.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						l.Post(func(any) {}, nil)
					}
				}
			})
		}
		r.Stop()
		var files []*os.File
		for range 16 {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		l.Post(func(any) { t.Error("it runs") }, nil)
		close(stop)
		posters.Wait()
		for _, f := range files {
			if info, err := f.Stat(); err != nil || info.Size() != 0 {
				t.Errorf("a file that has nothing to do with it was written to: %v, %v", info.Size(), err)
			}
			_ = f.Close()
		}
	}
}
