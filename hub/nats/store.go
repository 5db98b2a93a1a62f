// Package nats is a store for hubs on several machines: a stream of NATS JetStream. Its sequence is the ids, so that a
// position means the same on every node, and a client may go on at any.
//
// Each node reads the stream once, by one consumer, from its beginning, into a hub.Memory with the bounds of the stream.
// Reads are answered from there: they never wait, and cost NATS nothing, however many clients there are.
//
// While NATS is away the clients go on waiting and what there is can be read, but Append fails and Ready says why. The
// consumer then goes on behind the last message that it saw. What the stream has dropped meanwhile is known by a gap in
// the sequence: all clients look again, and are told that something is gone.
package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/weirhttp/weir/hub"
)

// ErrUnavailable is what Append and Read return, with the cause, while the stream cannot be reached. A message whose Append
// has failed so may have arrived nevertheless, when only the acknowledgement was lost.
var ErrUnavailable = errors.New("hub: NATS is not available")

// Store is a hub.Store. Its methods are safe for use by any goroutine.
type Store struct {
	options Options
	conn    *client.Conn
	js      jetstream.JetStream
	arrived func(m hub.Message) (reached int)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	memory  atomic.Pointer[hub.Memory] // nil: the stream has not been read yet
	revoked atomic.Uint64              // ids up to here and above the last are of messages that the stream has lost
	known   atomic.Bool                // NATS has taken the connection, once at least

	// Of the goroutine that follows the stream.
	last       uint64    // the id that was seen last
	adjusted   bool      // the bounds of the stream were looked at
	stale      bool      // memory has what the stream has lost
	futile     int       // consumers that brought nothing, in a row
	shortSince time.Time // when the stream was found to lack what was seen; zero: it has it

	mu      sync.Mutex
	trouble error              // nil: the store is ready
	since   time.Time          // of trouble
	drop    context.CancelFunc // ends what was begun with the connection, when that is lost
	waiting map[string]chan int
}

// errStarting is what is wrong before anything has been tried.
var errStarting = errors.New("the stream has not been read yet")

// Open returns a store that works until Close. It does not wait for NATS: Ready tells when the store can be used. Errors
// are those of the options.
func Open(options Options) (*Store, error) {
	if err := options.setDefaults(); err != nil {
		return nil, err
	}
	connection, err := options.connection()
	if err != nil {
		return nil, err
	}
	s := &Store{options: options, trouble: errStarting, since: time.Now(), waiting: make(map[string]chan int)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	connection = append(connection, client.DisconnectErrHandler(func(*client.Conn, error) { s.disconnected() }),
		client.ConnectHandler(func(*client.Conn) { s.known.Store(true) }),
		client.ErrorHandler(func(_ *client.Conn, _ *client.Subscription, err error) {
			if about(err) == "" { // that comes with each attempt, and is told as what is wrong
				options.Log.Warn("hub: NATS", "error", err)
			}
		}))
	if s.conn, err = client.Connect(options.Servers, connection...); err != nil {
		return nil, fmt.Errorf("hub/nats: %w", err)
	}
	if s.js, err = jetstream.New(s.conn); err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("hub/nats: %w", err)
	}
	return s, nil
}

// Notify implements hub.Store. The store begins to read the stream.
func (s *Store) Notify(arrived func(m hub.Message) (reached int)) {
	s.arrived = arrived
	s.done.Go(s.follow)
}

// Ready returns why the store cannot be used at the moment: NATS is away, or this node does not have yet what the stream
// has. nil: it can be.
func (s *Store) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, s.trouble)
	}
	return nil
}

// troubled notes what is wrong, nil for nothing.
func (s *Store) troubled(err error) {
	s.mu.Lock()
	was := s.trouble
	s.trouble = err
	if was == nil {
		s.since = time.Now()
	}
	s.mu.Unlock()
	switch {
	case err == nil && was != nil:
		s.options.Log.Info("hub: ready", "stream", s.options.Stream, "id", s.last)
	case err != nil && s.ctx.Err() == nil && (was == nil || !strings.EqualFold(was.Error(), err.Error())): // NATS writes its errors in either case
		s.options.Log.Warn("hub: not ready", "stream", s.options.Stream, "error", err)
	}
}

// Append implements hub.Store. A message that is sent again, since no acknowledgement has come, has the same id for NATS,
// which keeps it once.
func (s *Store) Append(topic string, data []byte) (id uint64, reached int, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.options.PublishTimeout)
	defer cancel()
	message := client.NewMsg(subject(s.options.Stream, topic))
	message.Data = data
	name := nuid.Next()
	message.Header.Set(jetstream.MsgIDHeader, name)
	arrived := make(chan int, 1)
	s.mu.Lock()
	s.waiting[name] = arrived
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, name)
		s.mu.Unlock()
	}()
	ack, err := s.publish(ctx, message)
	if err != nil {
		return 0, 0, err
	}
	if s.memory.Load() == nil {
		return ack.Sequence, 0, nil
	}
	select {
	case reached = <-arrived:
	case <-ctx.Done(): // it is safe, and will come: by another consumer
		s.disconnected()
	}
	return ack.Sequence, reached, nil
}

// attemptTime is how long an acknowledgement is waited for before the message is sent again, and pause how long there is
// nothing after a failure.
const (
	attemptTime = time.Second
	pause       = 100 * time.Millisecond
)

// publish sends a message until it is acknowledged, ctx ends or there is no sense in it.
func (s *Store) publish(ctx context.Context, message *client.Msg) (*jetstream.PubAck, error) {
	var before error // says more than that the time is over
	begun := time.Now()
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		ack, err := s.js.PublishMsg(attempt, message)
		cancel()
		if err == nil {
			return ack, nil
		}
		if !s.conn.IsConnected() {
			err = s.away()
		}
		switch {
		case s.ctx.Err() != nil:
			return nil, hub.ErrClosed
		case errors.Is(err, client.ErrMaxPayload):
			return nil, fmt.Errorf("%w: NATS takes %d octets", hub.ErrTooLarge, s.conn.MaxPayload())
		}
		if errors.Is(err, context.DeadlineExceeded) && before != nil {
			err = before
		}
		if before = err; s.longAway() || s.refused(err) || !passes(err) || !sleep(ctx, pause) || time.Since(begun) > s.options.remembered() {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// longAway tells whether NATS has been away for so long that it is no use to wait for it.
func (s *Store) longAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble != nil && !s.conn.IsConnected() && time.Since(s.since) > s.options.PublishTimeout
}

// passes tells whether what failed may succeed when it is tried again.
func passes(err error) bool {
	if errors.Is(err, client.ErrPermissionViolation) {
		return false
	}
	var refusal *jetstream.APIError
	const conflict = 409 // the same message, which was sent before, is on its way
	return !errors.As(err, &refusal) || refusal.Code >= 500 || refusal.Code == conflict
}

// sleep waits, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Read implements hub.Store.
func (s *Store) Read(topic string, since uint64, limit int) (hub.Page, error) {
	return s.read(since, func(m *hub.Memory) (hub.Page, error) { return m.Read(topic, since, limit) })
}

// ReadMatching implements hub.WildcardStore. It is on if Options.History.Wildcards says so.
func (s *Store) ReadMatching(pattern string, since uint64, limit int) (hub.Page, error) {
	return s.read(since, func(m *hub.Memory) (hub.Page, error) { return m.ReadMatching(pattern, since, limit) })
}

// read reads what is behind since. An id above the last is one that another node knows already.
func (s *Store) read(since uint64, f func(m *hub.Memory) (hub.Page, error)) (hub.Page, error) {
	m := s.memory.Load()
	if m == nil {
		return hub.Page{}, s.notRead()
	}
	page, err := f(m)
	if since > page.Last {
		page.Gone = since <= s.revoked.Load()
	}
	return page, err
}

func (s *Store) notRead() error {
	if err := s.Ready(); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, errStarting)
}

// Close implements hub.Store. What there is can still be read.
func (s *Store) Close() error {
	s.cancel()
	s.conn.Close()
	s.done.Wait()
	s.troubled(hub.ErrClosed)
	if m := s.memory.Load(); m != nil {
		return m.Close()
	}
	return nil
}

// disconnected ends what goes on over the connection.
func (s *Store) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop != nil {
		s.drop()
	}
}
