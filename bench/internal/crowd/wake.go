package crowd

import (
	"fmt"
	"time"

	"github.com/weirhttp/weir/bench/internal/histogram"
	"github.com/weirhttp/weir/bench/internal/response"
)

// wakeWithin bounds how long a message may take to reach all.
const wakeWithin = 30 * time.Second

// readEvery is how long a crowd that is being woken lets answers gather before it reads them, and the most that its figures say too
// much. A crowd that reads without a pause is woken up by nearly every answer, some thousand times a wake, and each time
// its thread takes a processor from the server that is writing the rest.
const readEvery = time.Millisecond

// A waker publishes one message to a crowd that waits on one topic, and takes the time until the last one has it.
type waker struct {
	*crowd
	publisher *publisher
	rounds    int
	woken     bool // and not waiting again

	left    int // clients without it
	id      uint64
	reached int
	answers int // of the publisher
}

func newWaker(c *crowd) (*waker, error) {
	w := &waker{crowd: c}
	var err error
	w.publisher, err = c.newPublisher(0, func(_ int, id uint64, reached int) error {
		w.id, w.reached = id, reached
		w.answers++
		return nil
	})
	return w, err
}

// wakes wakes all as often as told, with a pause before each so that every request has arrived. Told 0, it has all wait again.
func (w *waker) wakes(count int) (report Report, err error) {
	var p *probe
	if w.plan.Probe {
		if p, err = startProbe(w.plan); err != nil {
			return report, err
		}
		defer p.stop()
	}
	if count == 0 {
		err = w.waitAgain()
	}
	var spans []span
	for range count {
		if err := w.waitAgain(); err != nil {
			return report, err
		}
		from := time.Now()
		result, err := w.wake(from)
		if err != nil {
			return report, err
		}
		spans = append(spans, span{from, from.Add(result.Last)})
		report.Wakes = append(report.Wakes, result)
	}
	report.Retries = w.retries
	if p != nil {
		p.stop()
		report.Probe = p.result(spans)
	}
	return report, err
}

// waitAgain has all clients wait that do not, and gives the server time.
func (w *waker) waitAgain() error {
	if w.woken {
		w.woken = false
		began := time.Now()
		for i := range w.clients {
			time.Sleep(time.Until(w.paced(began, i)))
			if err := w.poll(i); err != nil {
				return err
			}
		}
	}
	return w.settle()
}

func (w *waker) wake(from time.Time) (result WakeResult, err error) {
	w.rounds++
	w.woken = true
	w.left, w.answers = len(w.clients), 0
	var (
		data      = fmt.Appendf(nil, "news %d of crowd %d", w.rounds, w.plan.Number)
		latencies histogram.Histogram
		id        uint64
	)
	receive := func(i int, r response.Response) error {
		m, err := w.received(i, r)
		if err != nil {
			return err
		}
		if string(m.data) != string(data) {
			return fmt.Errorf("a client has %q, published was %q", m.data, data)
		}
		if w.left == len(w.clients) {
			id = m.id
		}
		if m.id != id {
			return fmt.Errorf("clients have one message with the ids %d and %d", id, m.id)
		}
		result.Last = time.Since(from) // of the last one, in the end
		latencies.Record(result.Last)
		w.left--
		return nil
	}
	w.publisher.publish(w.rounds, 0, data)
	if err := w.publisher.flush(); err != nil {
		return result, err
	}
	for w.left > 0 || w.answers == 0 {
		time.Sleep(readEvery)
		if _, err := w.handle(100*time.Millisecond, receive); err != nil {
			return result, err
		}
		if time.Since(from) > wakeWithin {
			return result, fmt.Errorf("%d of %d clients have no answer after %v", w.left, len(w.clients), wakeWithin)
		}
	}
	if id != w.id {
		return result, fmt.Errorf("published as %d, received as %d", w.id, id)
	}
	if w.reached >= 0 && w.reached != len(w.clients) {
		return result, fmt.Errorf("the server tells of %d clients reached, of %d", w.reached, len(w.clients))
	}
	result.Median, result.Reached = latencies.Quantile(0.5), w.reached
	return result, nil
}

// settle waits until the server has taken in all requests.
func (w *waker) settle() error {
	for {
		retries := w.retries
		time.Sleep(w.plan.Settle)
		if err := w.nothingArrived(); err != nil || w.retries == retries {
			return err
		}
	}
}

// nothingArrived is an error when a client has had an answer, or has been closed, while it waited.
func (w *waker) nothingArrived() error {
	for {
		n, err := w.handle(0, func(i int, r response.Response) error {
			if again, err := w.retry(i, r); again {
				return err
			}
			return fmt.Errorf("a poll is answered with %d %.60q before anything was published", r.Status, r.Content)
		})
		if n == 0 || err != nil {
			return err
		}
	}
}

// handle has receive take the answers that have arrived, waiting for some at most so long, and tells how many sockets
// something has happened to.
func (w *waker) handle(most time.Duration, receive func(i int, r response.Response) error) (int, error) {
	events, err := w.poller.wait(most)
	if err != nil {
		return 0, err
	}
	for _, event := range events {
		if event.Fd < 0 {
			err = w.publisher.handle()
		} else {
			err = w.read(int(event.Fd), event.Events, receive)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(events), nil
}
