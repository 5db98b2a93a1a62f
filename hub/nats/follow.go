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
	if r.memory != nil && !s.stale {
		if err := s.shorter(info.State.LastSeq); err != nil {
			return err
		}
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
	if info.State.Msgs == 0 || s.last >= r.target {
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
			err = r.look(ctx)
		}
		if err != nil {
			return fmt.Errorf("consumer of stream %s: %w", s.options.Stream, err)
		}
	}
}

// electionTime is how long a stream may be without messages that were seen, before they count as lost: a server that has
// just become its leader may not know yet of all that was agreed.
const electionTime = 10 * time.Second

// shorter looks whether the stream ends before the id that was seen last. When that stays so, others will have the ids of
// the messages that are lost: it is to be read anew.
func (s *Store) shorter(end uint64) error {
	if end >= s.last {
		s.shortSince = time.Time{}
		return nil
	}
	if s.shortSince.IsZero() {
		s.shortSince = time.Now()
	}
	if time.Since(s.shortSince) < electionTime {
		return fmt.Errorf("stream %s does not have yet what this node has seen of it", s.options.Stream)
	}
	s.shortSince = time.Time{}
	s.options.Log.Error("hub: the stream has lost messages that NATS had acknowledged", "stream", s.options.Stream, "from", end+1, "to", s.last)
	s.revoked.Store(max(s.last, s.revoked.Load()))
	s.stale = true
	return nil
}

// reader takes the messages of a consumer. Of the goroutine that follows the stream.
type reader struct {
	store   *Store
	memory  *hub.Memory
	loading bool   // memory is not in use yet
	current bool   // what the stream had at the beginning was read
	target  uint64 // the id of the newest message at the beginning
	counter uint64 // of the consumer's messages
	looks   int    // since the last message
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
	r.looks = 0
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
	// That nothing is pending would not do: the server with the consumer may itself have to catch up.
	if !r.current && id >= r.target {
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
	r.store.futile = 0
	if r.loading {
		r.loading, r.store.stale = false, false
		if old := r.store.memory.Swap(r.memory); old != nil {
			_ = old.Close()
			r.store.arrived(hub.Message{})
		}
	}
	r.store.troubled(nil)
}

// A consumer that has brought nothing for maxLooks seconds, although there is something, is given up: NATS may have put it on
// a server that lacks what others have of the stream. After maxFutile of them it is believed that there is nothing: the
// newest message was deleted.
const (
	maxLooks  = 2
	maxFutile = 5
)

// look asks whether there is something left to come: messages go by their age, too.
func (r *reader) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	info, err := r.store.ensure(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs == 0 || r.store.futile >= maxFutile {
		r.caughtUp()
		return nil
	}
	if r.looks++; r.looks < maxLooks {
		return nil
	}
	r.store.futile++
	return fmt.Errorf("it stands at %d, the stream at %d", r.store.last, info.State.LastSeq)
}
