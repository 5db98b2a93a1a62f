package limit

import (
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/weirhttp/weir/app"
)

// RateOptions say how many requests each key has, as a bucket of tokens.
type RateOptions struct {
	// PerSecond is how many requests a second; it may be a fraction.
	PerSecond float64
	// Burst is how many of them may come at once. Default: as many as PerSecond, and one at least.
	Burst int
	// Key tells whose request it is. Default: ByAddress.
	Key Key
	// MaxKeys bounds the memory: of so many keys the use is known, some 200 octets each. Of more, those that have not come for longest are
	// forgotten, and begin anew. Default: 65,536.
	MaxKeys int
	// Status is that of the answer to a request too many. Default: 503 Service Unavailable; 429 Too Many Requests says whose fault it is.
	Status string
}

// Rate returns application with a limit to the rate of requests. An error names the field of the options that is wrong.
func Rate(application app.Application, options RateOptions) (app.Application, error) {
	switch {
	case !(options.PerSecond > 0) || math.IsInf(options.PerSecond, 0):
		return nil, errors.New("limit: RateOptions.PerSecond must be more than 0")
	case options.Burst < 0:
		return nil, errors.New("limit: RateOptions.Burst must be 1 or more, or 0 for one second's")
	case options.MaxKeys < 0:
		return nil, errors.New("limit: RateOptions.MaxKeys must be 1 or more, or 0 for 65536")
	}
	status, err := statusOf("RateOptions", options.Status)
	if err != nil {
		return nil, err
	}
	if options.Burst == 0 {
		options.Burst = int(math.Ceil(min(options.PerSecond, math.MaxInt32)))
	}
	if options.MaxKeys == 0 {
		options.MaxKeys = 1 << 16
	}
	key := options.Key
	if key == nil {
		key = ByAddress
	}
	b := newBuckets(options)
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		if wait := b.take(key(environ), time.Now()); wait > 0 {
			return refuse(start, status, wait)
		}
		return application(environ, start)
	}, nil
}

// statusOf is the status for refusals.
func statusOf(options, status string) (string, error) {
	if status == "" {
		return "503 Service Unavailable", nil
	}
	if _, wrong := app.CheckStatus(status); wrong != "" {
		return "", errors.New("limit: " + options + ".Status: " + wrong)
	}
	return status, nil
}

// shards is how many parts the table of buckets has, so that loops seldom wait for one another.
const shards = 16

// buckets are the buckets of all keys.
type buckets struct {
	limit  rate.Limit
	burst  int
	seed   maphash.Seed
	shards [shards]shard
}

// shard is a part of them. The keys that came last are in recent. When that is full it becomes old, and what was in old, and has not come since, is
// forgotten.
type shard struct {
	mu          sync.Mutex // guards what follows
	recent, old map[string]*rate.Limiter
	most        int
}

func newBuckets(o RateOptions) *buckets {
	b := &buckets{limit: rate.Limit(o.PerSecond), burst: o.Burst, seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].recent = make(map[string]*rate.Limiter)
		b.shards[i].most = max(o.MaxKeys/(2*shards), 1)
	}
	return b
}

// take takes a token. wait is 0 when there was one, else the time until there is.
func (b *buckets) take(key string, now time.Time) (wait time.Duration) {
	s := &b.shards[maphash.String(b.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket := s.recent[key]
	if bucket == nil {
		if bucket = s.old[key]; bucket == nil {
			bucket = rate.NewLimiter(b.limit, b.burst)
		}
		if len(s.recent) >= s.most {
			s.old, s.recent = s.recent, make(map[string]*rate.Limiter)
		}
		s.recent[key] = bucket
	}
	if bucket.AllowN(now, 1) {
		return 0
	}
	missing := 1 - bucket.TokensAt(now)
	return max(time.Duration(missing/float64(b.limit)*float64(time.Second)), time.Nanosecond)
}
