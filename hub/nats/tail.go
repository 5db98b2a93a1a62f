package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhttp/weir/hub"
)

// Tail calls f with the messages of a topic behind since, in order, until f returns an error, which Tail returns, or ctx
// ends. since 0 stands for the beginning of what the stream has; told false for now. With Options.History.Wildcards topic may
// be a pattern, as hub.Options.Wildcards has it: then NATS chooses the messages. Tail needs no Notify, and keeps nothing:
// it is for those who read one topic alone. NATS must be there when it begins, and may go away later.
func (s *Store) Tail(ctx context.Context, topic string, since uint64, told bool, f func(m hub.Message) error) error {
	subjects := subject(s.options.Stream, topic)
	if s.options.History.Wildcards {
		subjects = filter(s.options.Stream, topic)
	}
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjects}, DeliverPolicy: jetstream.DeliverNewPolicy}
	if told {
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, since+1
	}
	messages, err := s.tail(ctx, c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer messages.Stop()
	for {
		message, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return err
		case err != nil: // it goes on behind the last one when that is possible
			if !sleep(ctx, pause) {
				return ctx.Err()
			}
			continue
		}
		meta, err := message.Metadata()
		if err != nil {
			return err
		}
		of, ok := topicOf(s.options.Stream, message.Subject())
		if !ok {
			continue
		}
		if err := f(hub.Message{ID: meta.Sequence.Stream, Topic: of, Data: message.Data()}); err != nil {
			return err
		}
	}
}

// tail begins to read, within the time that a message may take to be published.
func (s *Store) tail(ctx context.Context, c jetstream.OrderedConsumerConfig) (jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.PublishTimeout)
	defer cancel()
	for {
		if !s.conn.IsConnected() {
			if err := s.away(); s.refused(err) || !sleep(ctx, pause) {
				return nil, err
			}
			continue
		}
		if _, err := s.ensure(ctx); err != nil {
			return nil, err
		}
		consumer, err := s.js.OrderedConsumer(ctx, s.options.Stream, c)
		if err != nil {
			return nil, err
		}
		return consumer.Messages(jetstream.PullExpiry(5*time.Second), jetstream.PullHeartbeat(heartbeat))
	}
}
