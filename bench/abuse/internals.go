package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
)

// internals is what weir tells of itself with --test-routes.
type internals struct {
	Descriptors int   `json:"descriptors"`
	Goroutines  int   `json:"goroutines"`
	Heap        int64 `json:"heap"`
}

func (s *server) internals() (now internals, err error) {
	content, err := s.get("/internals", 5*time.Second)
	if err != nil {
		return now, err
	}
	return now, json.Unmarshal(content, &now)
}

// What may be left of an attack. Goroutines come and go by the runtime's own needs; tables that have grown for many
// connections keep their size.
const (
	goroutinesLeft = 4
	heapLeft       = 2 << 20
)

// more names what now has more of than before.
func (now internals) more(before internals) string {
	var more []string
	if now.Descriptors > before.Descriptors {
		more = append(more, fmt.Sprintf("%d descriptors, %d before", now.Descriptors, before.Descriptors))
	}
	if now.Goroutines > before.Goroutines+goroutinesLeft {
		more = append(more, fmt.Sprintf("%d goroutines, %d before", now.Goroutines, before.Goroutines))
	}
	if now.Heap > before.Heap+heapLeft {
		more = append(more, fmt.Sprintf("heap %s, %s before", mebibytes(now.Heap), mebibytes(before.Heap)))
	}
	return strings.Join(more, "; ")
}

const (
	backWithin = 15 * time.Second
	backEvery  = 200 * time.Millisecond
)

// awaitBack waits until the server has no more than before, and returns how long that took.
func (s *server) awaitBack(ctx context.Context, before internals) (time.Duration, error) {
	began := time.Now()
	for {
		now, err := s.internals()
		took := time.Since(began)
		more := ""
		if err == nil {
			if more = now.more(before); more == "" {
				return took, nil
			}
		}
		switch {
		case took < backWithin && ctx.Err() == nil && s.alive() == nil:
			_ = program.Pause(ctx, backEvery)
		case err != nil:
			return took, fmt.Errorf("the server does not tell what it holds: %w", err)
		default:
			return took, fmt.Errorf("%v after the attack: %s", took.Round(time.Second), more)
		}
	}
}
