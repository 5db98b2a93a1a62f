package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhttp/weir/hub"
)

// requestTime bounds a request to NATS; heartbeat is how often a consumer that has nothing shows that it is there. The
// library takes it for lost after two that have not come.
const (
	requestTime = 3 * time.Second
	heartbeat   = time.Second
	// forgetAfter is when NATS drops a consumer that nobody asks.
	forgetAfter = 30 * time.Second
)

// follow reads the stream until Close: again behind the last message whenever something fails.
func (s *Store) follow() {
	for s.ctx.Err() == nil {
		s.troubled(s.session())
		sleep(s.ctx, pause)
	}
}

// session reads the stream with one consumer, until something is wrong with it.
func (s *Store) session() error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.mu.Lock()
	s.drop = cancel
	s.mu.Unlock()
	if !s.conn.IsConnected() {
		return s.away()
	}
	request, done := context.WithTimeout(ctx, requestTime)
	defer done()
	info, err := s.ensure(request)
	if err != nil {
		return err
	}
	r := &reader{store: s, memory: s.memory.Load(), target: info.State.LastSeq}
	if r.memory != nil && !s.stale && info.State.LastSeq < s.last {
		s.revoke(info.State.LastSeq)
	}
	if r.memory == nil || s.stale {
		r.begin(info)
		defer r.abandon()
	} else if info.State.FirstSeq > s.last+1 {
		r.lose(info.State.FirstSeq - 1)
	}
	consumer, err := s.js.CreateConsumer(request, s.options.Stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.last + 1,
		AckPolicy: jetstream.AckNonePolicy, MaxDeliver: 1, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: forgetAfter,
	})
	if err != nil {
		return fmt.Errorf("consumer of stream %s: %w", s.options.Stream, err)
	}
	messages, err := consumer.Messages(jetstream.PullExpiry(5*time.Second), jetstream.PullHeartbeat(heartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("consumer of stream %s: %w", s.options.Stream, err)
	}
	defer messages.Stop()
	if consumer.CachedInfo().NumPending == 0 {
		r.caughtUp()
	}
	for {
		wait := []jetstream.NextOpt{jetstream.NextContext(ctx)}
		if !r.current { // what was left may have been dropped meanwhile
			wait = []jetstream.NextOpt{jetstream.NextMaxWait(time.Second)}
		}
		message, err := messages.Next(wait...)
		switch {
		case err == nil:
			err = r.take(message)
		case ctx.Err() != nil && s.ctx.Err() == nil:
			err = s.away()
		case !r.current && errors.Is(err, client.ErrTimeout):
			err = r.look(ctx, consumer)
		}
		if err != nil {
			return fmt.Errorf("consumer of stream %s: %w", s.options.Stream, err)
		}
	}
}

// revoke notes that the stream ends before the id that was seen last, so that others will have the ids of messages that
// are lost.
func (s *Store) revoke(end uint64) {
	s.options.Log.Error("hub: the stream has lost messages that NATS had acknowledged", "stream", s.options.Stream, "from", end+1, "to", s.last)
	s.revoked.Store(max(s.last, s.revoked.Load()))
	s.stale = true
}

// reader takes the messages of a consumer. Of the goroutine that follows the stream.
type reader struct {
	store   *Store
	memory  *hub.Memory
	loading bool   // memory is not in use yet
	current bool   // what the stream had at the beginning was read
	target  uint64 // the id of the newest message at the beginning
	counter uint64 // of the consumer's messages
}

// begin begins with an empty memory and the oldest message of the stream.
func (r *reader) begin(info *jetstream.StreamInfo) {
	s := r.store
	s.last = max(info.State.FirstSeq, 1) - 1
	r.loading = true
	r.memory = hub.NewMemory(s.options.history(info.Config))
	r.memory.Lose(s.last)
	r.memory.Notify(func(m hub.Message) (reached int) {
		if r.loading {
			return 0
		}
		return s.arrived(m)
	})
}

// abandon lets go of a memory that was not read to the end.
func (r *reader) abandon() {
	if r.loading {
		_ = r.memory.Close()
	}
}

// take takes the next message.
func (r *reader) take(message jetstream.Msg) error {
	s := r.store
	meta, err := message.Metadata()
	if err != nil {
		return err
	}
	if r.counter++; meta.Sequence.Consumer != r.counter {
		return errors.New("messages were lost on the way")
	}
	id := meta.Sequence.Stream
	if id <= s.last {
		return nil
	}
	if id > s.last+1 && !r.loading { // while it is read from its beginning the bounds account for what is missing
		r.lose(id - 1)
	}
	s.last = id
	reached := 0
	if topic, ok := topicOf(s.options.Stream, message.Subject()); ok {
		reached = r.memory.Put(hub.Message{ID: id, Topic: topic, Data: message.Data()}, meta.Timestamp)
	}
	s.tell(message.Headers().Get(jetstream.MsgIDHeader), reached)
	if !r.current && (id >= r.target || meta.NumPending == 0) {
		r.caughtUp()
	}
	return nil
}

// tell hands over what Append waits for.
func (s *Store) tell(name string, reached int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if arrived := s.waiting[name]; arrived != nil {
		delete(s.waiting, name)
		arrived <- reached
	}
}

// lose notes that the stream has dropped messages up to id before they were seen.
func (r *reader) lose(id uint64) {
	s := r.store
	s.options.Log.Warn("hub: the stream has dropped messages before this node saw them", "stream", s.options.Stream, "from", s.last+1, "to", id)
	s.last = id
	r.memory.Lose(id)
	s.arrived(hub.Message{})
}

// caughtUp makes what was read known.
func (r *reader) caughtUp() {
	r.current = true
	if r.loading {
		r.loading, r.store.stale = false, false
		if old := r.store.memory.Swap(r.memory); old != nil {
			_ = old.Close()
			r.store.arrived(hub.Message{})
		}
	}
	r.store.troubled(nil)
}

// look asks whether there is something left to come.
func (r *reader) look(ctx context.Context, consumer jetstream.Consumer) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err == nil && info.NumPending == 0 && info.Delivered.Consumer == r.counter {
		r.caughtUp()
	}
	return err
}
