package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhttp/weir/hub"
)

// ensure returns the state of the stream, which is created or given the bounds of the options where it has others.
func (s *Store) ensure(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := s.js.Stream(ctx, s.options.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		storage := jetstream.FileStorage
		if s.options.MemoryStorage {
			storage = jetstream.MemoryStorage
		}
		c := s.options.stream(jetstream.StreamConfig{
			Storage: storage,
			// As in memory: ids of an earlier stream are smaller, and their clients learn that they have missed something.
			FirstSeq: uint64(time.Now().UnixMicro()),
		})
		if stream, err = s.js.CreateStream(ctx, c); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another node
			stream, err = s.js.Stream(ctx, s.options.Stream)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", s.options.Stream, err)
	}
	has := stream.CachedInfo()
	if len(has.Config.Subjects) != 1 || has.Config.Subjects[0] != s.options.Stream+".>" {
		return nil, fmt.Errorf("stream %s has the subjects %q, and must have %s.> alone", s.options.Stream, has.Config.Subjects, s.options.Stream)
	}
	if s.adjusted || s.options.KeepBounds || !s.options.differs(has.Config) {
		return has, nil
	}
	stream, err = s.js.UpdateStream(ctx, s.options.stream(has.Config))
	if err == nil {
		has = stream.CachedInfo()
	} else if ctx.Err() != nil {
		return nil, fmt.Errorf("stream %s: %w", s.options.Stream, err)
	} else {
		s.options.Log.Warn("hub: the stream keeps its bounds", "stream", s.options.Stream, "error", err)
	}
	s.adjusted = true // once: a node with other options would do so, too
	return has, nil
}

// stream is c with what the options say.
func (o *Options) stream(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.Name = o.Stream
	c.Subjects = []string{o.Stream + ".>"}
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardOld
	// One more than a node keeps: a topic of which the stream has dropped some is then more than the node keeps as
	// well, when it reads the stream from its beginning, and the node knows where the topic's history ends.
	c.MaxMsgsPerSubject = int64(o.History.Messages) + 1
	c.MaxAge = o.History.Age
	c.MaxBytes = int64(o.History.TotalBytes)
	c.Duplicates = o.remembered()
	c.Replicas = o.Replicas
	return c
}

// remembered is for how long NATS knows the names of messages, and takes one that is sent again once.
func (o *Options) remembered() time.Duration { return min(2*time.Minute, o.History.Age) }

// differs tells whether a stream has other bounds than the options.
func (o *Options) differs(has jetstream.StreamConfig) bool {
	want := o.stream(has)
	return want.MaxMsgsPerSubject != has.MaxMsgsPerSubject || want.MaxAge != has.MaxAge || want.MaxBytes != has.MaxBytes ||
		want.Replicas != has.Replicas || want.Discard != has.Discard
}

// history is what a node keeps of a stream: no more than that has.
func (o *Options) history(has jetstream.StreamConfig) hub.MemoryOptions {
	h := o.History
	h.First = 1 // Lose says where it begins
	if has.MaxMsgsPerSubject > 0 {
		h.Messages = max(min(h.Messages, int(has.MaxMsgsPerSubject)-1), 1)
	}
	if has.MaxAge > 0 {
		h.Age = min(h.Age, has.MaxAge)
	}
	if h.Bytes == 0 {
		h.Bytes = h.TotalBytes
	}
	return h
}
