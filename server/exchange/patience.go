package exchange

import (
	"cmp"
	"time"
)

// Pace is how fast the content of a request must come.
type Pace struct {
	// Timeout bounds the time between octets; 0: any.
	Timeout time.Duration
	// Rate is the least rate, in octets a second, after Grace; 0: any.
	Rate  int
	Grace time.Duration
}

// Patience is how long the rest of a request's content is waited for: Pace.Grace at first, and the longer the
// more has come, by Pace.Rate, up to Pace.Timeout. A client that pauses now and then after sending much is waited
// for, one that sends an octet a second is not. Only time in which octets are read counts.
type Patience struct {
	until  int64  // loop time; 0: not waiting
	octets uint32 // that the connection had received when until was set, or the content began
}

// Begin starts anew, or suspends waiting: what is waited for is not the client. received is how many octets the connection has
// received, modulo 2^32.
func (p *Patience) Begin(received uint32) { *p = Patience{octets: received} }

// Left is how long the next octets may take at the time now; 0: for ever.
func (p *Patience) Left(pace *Pace, now int64, received uint32) time.Duration {
	if pace.Rate == 0 {
		return pace.Timeout
	}
	if p.until == 0 {
		p.until = now + int64(pace.Grace)
	}
	p.until += int64(received-p.octets) * int64(time.Second) / int64(pace.Rate)
	p.until = min(p.until, now+int64(cmp.Or(pace.Timeout, time.Hour)))
	p.octets = received
	return time.Duration(max(p.until-now, 1))
}
