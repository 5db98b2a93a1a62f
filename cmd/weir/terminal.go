package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
)

// terminalFlags are for commands that use a hub without serving.
type terminalFlags struct {
	Hub     string        `required:"" placeholder:"URL" help:"NATS servers of the hub: nats://HOST:PORT,... (for --hub embedded: its --hub-listen)."`
	Timeout time.Duration `default:"5s" help:"How long NATS may take to answer (default: ${default})."`
	natsFlags
}

// open connects. The store reads nothing.
func (f *terminalFlags) open(wildcards bool) (*nats.Store, error) {
	switch {
	case !serversOf(f.Hub):
		return nil, &usageError{fmt.Sprintf("--hub must be nats://HOST:PORT, not %q", f.Hub)}
	case f.Timeout <= 0:
		return nil, &usageError{"--timeout must be more than 0"}
	}
	if err := f.natsFlags.check(); err != nil {
		return nil, err
	}
	o := f.natsFlags.options(f.Hub)
	o.PublishTimeout = f.Timeout
	o.KeepBounds = true
	o.History.Wildcards = wildcards
	o.Log = slog.New(slog.DiscardHandler) // errors say it
	store, err := nats.Open(o)
	if err != nil {
		return nil, optionError(err)
	}
	return store, nil
}

// unnotified is a store that nobody reads: it is not told of messages.
type unnotified struct{ *nats.Store }

func (unnotified) Notify(func(hub.Message) int) {}

// publishCommand publishes a message, and prints its id.
type publishCommand struct {
	terminalFlags
	Topic   string `arg:"" help:"The topic."`
	Message string `arg:"" optional:"" default:"-" help:"The message; - for what standard input has."`
}

// mostMessage is how long a message of a hub may be, in octets.
const mostMessage = 64 << 10

// unreached is an error of the servers that --hub names, which may have a password in it.
func unreached(err error) error { return fmt.Errorf("--hub: %w", err) }

func (p *publishCommand) Run() error {
	store, err := p.open(false)
	if err != nil {
		return err
	}
	h := hub.New(hub.Options{Store: unnotified{store}})
	defer h.Close()
	message := []byte(p.Message)
	if p.Message == "-" {
		if message, err = io.ReadAll(io.LimitReader(os.Stdin, mostMessage+1)); err != nil {
			return err
		}
	}
	id, _, err := h.Publish(p.Topic, message)
	switch {
	case errors.Is(err, hub.ErrTopic):
		return &usageError{err.Error()}
	case errors.Is(err, hub.ErrTooLarge):
		return &usageError{fmt.Sprintf("a message has %d octets at most", mostMessage)}
	case err != nil:
		return unreached(err)
	}
	fmt.Println(id)
	return nil
}

// tailCommand prints messages. It ends by a signal, as any program does that prints: SIGINT, or SIGPIPE when nobody reads.
type tailCommand struct {
	terminalFlags
	Topic string `arg:"" help:"The topic."`

	HubWildcards bool `help:"The topic may have wildcards: * in the place of one part between dots, > at the end for all further ones. Each line begins with the message's topic and a tab."`

	Since string `placeholder:"ID" help:"Begin behind the message with that id; 0 for all that there is (default: with the next)."`
	Count int    `short:"n" placeholder:"N" help:"End after so many messages."`
	IDs   bool   `name:"ids" help:"Print the id and a tab in front of each message."`
}

// errAllPrinted ends a tail.
var errAllPrinted = errors.New("all that was asked for is printed")

func (t *tailCommand) Run() error {
	var since uint64
	if t.Since != "" {
		var err error
		if since, err = strconv.ParseUint(t.Since, 10, 63); err != nil {
			return &usageError{fmt.Sprintf("--since must be the id of a message, or 0, not %q", t.Since)}
		}
	}
	if t.Count < 0 {
		return &usageError{"--count must be 1 or more"}
	}
	if t.HubWildcards {
		if err := hub.CheckPattern(t.Topic); err != nil {
			return &usageError{err.Error()}
		}
	}
	store, err := t.open(t.HubWildcards)
	if err != nil {
		return err
	}
	defer store.Close()
	printed := 0
	err = store.Tail(context.Background(), t.Topic, since, t.Since != "", func(m hub.Message) error {
		var line []byte
		if t.IDs {
			line = append(strconv.AppendUint(nil, m.ID, 10), '\t')
		}
		if t.HubWildcards {
			line = append(append(line, m.Topic...), '\t')
		}
		if _, err := os.Stdout.Write(append(append(line, m.Data...), '\n')); err != nil {
			return err
		}
		if printed++; printed == t.Count {
			return errAllPrinted
		}
		return nil
	})
	switch {
	case err == errAllPrinted:
		return nil
	case errors.Is(err, nats.ErrUnavailable):
		return unreached(err)
	}
	return err
}
