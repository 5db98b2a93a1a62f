package grip

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/weirhttp/weir/app"
)

// object is a JSON object, and what it is called in errors. Their texts are those of Pushpin.
type object struct {
	fields map[string]any
	name   string
}

func (o object) wrongType(key string) error {
	return fmt.Errorf("%s contains '%s' with wrong type", o.name, key)
}

// text is a string, "" when it is not there.
func (o object) text(key string, required bool) (string, error) {
	v, ok := o.fields[key]
	s, is := v.(string)
	switch {
	case !ok && required:
		return "", fmt.Errorf("%s does not contain '%s'", o.name, key)
	case ok && !is:
		return "", o.wrongType(key)
	}
	return s, nil
}

// list is an array, nil when it is not there.
func (o object) list(key string, required bool) ([]any, error) {
	v, ok := o.fields[key]
	l, is := v.([]any)
	switch {
	case !ok && required:
		return nil, fmt.Errorf("%s does not contain '%s'", o.name, key)
	case ok && !is:
		return nil, o.wrongType(key)
	}
	return l, nil
}

// object is one inside; ok is false when it is not there.
func (o object) object(key, name string) (inside object, ok bool, err error) {
	v, ok := o.fields[key]
	if !ok {
		return object{}, false, nil
	}
	fields, is := v.(map[string]any)
	if !is {
		return object{}, false, o.wrongType(key)
	}
	return object{fields, name}, true, nil
}

// number is a whole number from 0 on, which may be a string; ok is false when it is not there.
func (o object) number(key string) (n int, ok bool, err error) {
	v, ok := o.fields[key]
	if !ok {
		return 0, false, nil
	}
	switch v := v.(type) {
	case float64:
		n = int(v)
	case string:
		if n, err = strconv.Atoi(v); err != nil {
			return 0, false, o.wrongType(key)
		}
	default:
		return 0, false, o.wrongType(key)
	}
	if n < 0 {
		return 0, false, fmt.Errorf("%s contains '%s' with invalid value", o.name, key)
	}
	return n, true, nil
}

// content is a string, or octets in base64 in the field of that name with "-bin"; ok is false when there is neither.
func (o object) content(key string) (content []byte, ok bool, err error) {
	if _, ok := o.fields[key+"-bin"]; ok {
		text, err := o.text(key+"-bin", true)
		return fromBase64(text), err == nil, err
	}
	if _, ok := o.fields[key]; !ok {
		return nil, false, nil
	}
	text, err := o.text(key, true)
	return []byte(text), err == nil, err
}

// fromBase64 decodes what can be decoded: other octets are left out, and padding may be missing.
func fromBase64(text string) []byte {
	kept := make([]byte, 0, len(text))
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
			kept = append(kept, c)
		}
	}
	if len(kept)%4 == 1 {
		kept = kept[:len(kept)-1]
	}
	b, _ := base64.RawStdEncoding.DecodeString(string(kept))
	return b
}

// texts is an object of strings.
func (o object) texts(key string) (map[string]string, error) {
	inside, ok, err := o.object(key, key)
	if !ok {
		return nil, err
	}
	found := make(map[string]string, len(inside.fields))
	for name, v := range inside.fields {
		s, is := v.(string)
		if !is {
			return nil, fmt.Errorf("'%s' contains '%s' with wrong type", key, name)
		}
		found[name] = s
	}
	return found, nil
}

// status is a status line of code and reason, with the code otherwise.
func (o object) status(otherwise int) (string, error) {
	code, ok, err := o.number("code")
	if err != nil {
		return "", err
	}
	if !ok {
		code = otherwise
	}
	reason, err := o.text("reason", false)
	if err != nil {
		return "", err
	}
	return statusLine(code, reason, fmt.Errorf("%s contains 'code' with invalid value", o.name))
}

// statusLine is a status for an app.Response. wrong is the error for a code that no final answer has.
func statusLine(code int, reason string, wrong error) (string, error) {
	if reason == "" {
		reason = http.StatusText(code)
	}
	if code < 200 || code > 999 || app.HasControl(reason) {
		return "", wrong
	}
	return strconv.Itoa(code) + " " + reason, nil
}

// headers are fields, as an object or as a list of pairs. Those that are the server's are left out.
func (o object) headers() (found []app.Header, err error) {
	v, ok := o.fields["headers"]
	if !ok {
		return nil, nil
	}
	add := func(name, value string) error {
		if ownedByServer(name) {
			return nil
		}
		h := app.Header{Name: name, Value: value}
		if wrong := app.CheckHeader(h); wrong != "" {
			return errors.New("headers contains '" + name + "' with invalid value")
		}
		found = append(found, h)
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value, is := v[name].(string)
			if !is {
				return nil, fmt.Errorf("headers contains '%s' with wrong type", name)
			}
			if err := add(name, value); err != nil {
				return nil, err
			}
		}
	case []any:
		for _, element := range v {
			pair, is := element.([]any)
			if !is {
				return nil, errors.New("headers contains element with wrong type")
			}
			if len(pair) != 2 {
				return nil, errors.New("headers contains list with wrong number of elements")
			}
			name, is := pair[0].(string)
			if !is {
				return nil, errors.New("header contains name element with wrong type")
			}
			value, is := pair[1].(string)
			if !is {
				return nil, errors.New("header contains value element with wrong type")
			}
			if err := add(name, value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, o.wrongType("headers")
	}
	return found, nil
}
