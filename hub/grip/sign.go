package grip

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/weirhttp/weir/app"
)

// tokenLife is how long a Grip-Sig is good for, and tokenAge after which a new one is made.
const (
	tokenLife = time.Hour
	tokenAge  = time.Minute
)

// signer makes Grip-Sig: one for all requests of a minute.
type signer struct {
	key    []byte
	issuer string
	last   atomic.Pointer[signed]
}

type signed struct {
	token string
	at    time.Time
}

// token returns a token that is good for most of an hour, "" without a key.
func (s *signer) token(now time.Time) string {
	if len(s.key) == 0 {
		return ""
	}
	if last := s.last.Load(); last != nil && now.Sub(last.at) < tokenAge {
		return last.token
	}
	claims := jwt.MapClaims{"iss": s.issuer, "exp": now.Add(tokenLife).Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.key)
	if err != nil {
		panic(err) // HMAC takes any key
	}
	s.last.Store(&signed{token, now})
	return token
}

// verify checks the token of a publisher.
func (s *signer) verify(token string) error {
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithLeeway(30*time.Second))
	return err
}

// mark makes the fields of GRIP in a request those of the proxy. last is Grip-Last, "" for none.
func (p *Proxy) mark(environ *app.Environ, last string) {
	var forged []string
	for name := range environ.Fields() {
		if isGrip(string(name)) {
			forged = append(forged, string(name))
		}
	}
	for _, name := range forged {
		environ.Delete("HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	if token := p.signer.token(time.Now()); token != "" {
		environ.Set("HTTP_GRIP_SIG", token)
	}
	environ.Set("HTTP_GRIP_FEATURE", features)
	if last != "" {
		environ.Set("HTTP_GRIP_LAST", last)
	}
}
