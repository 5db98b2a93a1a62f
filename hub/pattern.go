package hub

import (
	"errors"
	"fmt"
	"strings"
)

// A pattern stands for topics, as NATS has it: "*" for any one token, and ">" at its end for one or more. What stands between dots of a topic is a
// token; a dot that would make an empty one belongs to its token, as it does in the subjects of package hub/nats.

// ErrWildcards is what reading by a pattern returns where it is off.
var ErrWildcards = errors.New("hub: wildcards are off")

// What a pattern may have bounds what a message costs that may be matched by many: it is looked up under no more than some hundred of them.
const (
	maxTokens = 16
	maxStars  = 3
	// maxPatterns is how many a request may name: each is read on its own.
	maxPatterns = 4
)

// cut returns the first token of a topic or a pattern, and what comes behind it; more tells whether there is something.
func cut(name string) (token, rest string, more bool) {
	for i := 1; i+1 < len(name); i++ {
		if name[i] == '.' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

// isPattern tells whether a name has a wildcard.
func isPattern(name string) bool {
	if !strings.ContainsAny(name, "*>") {
		return false
	}
	for more := true; more; {
		var token string
		if token, name, more = cut(name); token == "*" || token == ">" {
			return true
		}
	}
	return false
}

// CheckPattern tells what is wrong with the wildcards of a topic.
func CheckPattern(pattern string) error {
	stars, rest, more := 0, pattern, true
	for tokens := 1; more; tokens++ {
		var token string
		token, rest, more = cut(rest)
		switch {
		case tokens > maxTokens:
			return fmt.Errorf("a topic with wildcards may have %d tokens", maxTokens)
		case token == ">" && more:
			return errors.New("the wildcard > must be the last token")
		case token == "*":
			stars++
		}
	}
	if stars > maxStars {
		return fmt.Errorf("a topic may have the wildcard * %d times", maxStars)
	}
	return nil
}

// matches tells whether a pattern, or what is left of one, stands for a topic, or what is left of it.
func matches(pattern, topic string) bool {
	for {
		p, patternRest, patternMore := cut(pattern)
		if p == ">" && !patternMore {
			return true
		}
		t, topicRest, topicMore := cut(topic)
		if p != "*" && p != t || patternMore != topicMore {
			return false
		}
		if !patternMore {
			return true
		}
		pattern, topic = patternRest, topicRest
	}
}

// What a waiter waits for is a key: the name of a topic, or patternMark and a pattern. No name begins with it.
const patternMark = "\x00"

// keys are those of what hold names, which was checked.
func (hold *Hold) keys() []string {
	if !hold.Wildcards {
		return hold.Topics
	}
	keys := make([]string, len(hold.Topics))
	for i, name := range hold.Topics {
		if keys[i] = name; isPattern(name) {
			keys[i] = patternMark + name
		}
	}
	return keys
}

// patternOf is the pattern of a key.
func patternOf(key string) (pattern string, ok bool) { return strings.CutPrefix(key, patternMark) }

func isPatternKey(key string) bool { return strings.HasPrefix(key, patternMark) }
