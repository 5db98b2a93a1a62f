package handover

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A company is connections that are constantly in a call that blocks.
type company struct {
	quit  atomic.Bool
	calls atomic.Int64
	began time.Time
	wg    sync.WaitGroup
	errs  []error // one for each connection; the starter's after wg
}

// accompany returns when each connection has made its request. stop must be called.
func accompany(addr string, count int, target, content string) (*company, error) {
	c := &company{began: time.Now(), errs: make([]error, count)}
	request := requestFor(target)
	for i := range count {
		conn, err := dial(addr)
		if err != nil {
			c.quit.Store(true)
			return nil, errors.Join(err, c.stop())
		}
		c.wg.Go(func() {
			defer conn.close()
			for !c.quit.Load() {
				if err := conn.exchange(request, 1, content); err != nil {
					c.errs[i] = fmt.Errorf("%s: %w", target, err)
					return
				}
				c.calls.Add(1)
			}
		})
	}
	return c, nil
}

// stop waits for the last answers.
func (c *company) stop() error {
	c.quit.Store(true)
	c.wg.Wait()
	return errors.Join(c.errs...)
}

// rate is how many calls a second have been answered.
func (c *company) rate() float64 { return float64(c.calls.Load()) / time.Since(c.began).Seconds() }

func sleepTarget(d time.Duration) (target, content string) {
	ms := d.Milliseconds()
	return fmt.Sprintf("/sleep?ms=%d", ms), fmt.Sprintf("slept %d ms\n", ms)
}

func spinTarget(d time.Duration) (target, content string) {
	ms := d.Milliseconds()
	return fmt.Sprintf("/spin?ms=%d", ms), fmt.Sprintf("looked at the clock * times in %d ms\n", ms)
}
