package stream

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/source"
)

// A dead letter that others wrote is read or refused; one that is written is read as it was.
func FuzzLetter(f *testing.F) {
	f.Add([]byte(`{"reason":"r","file":"f","line":1,"row":2,"columns":["a"],"raw":"x"}`), "a,b", "why")
	f.Add([]byte(`{"raw_base64":"%%"}`), "\xff\xfe", "\x00")
	f.Add([]byte(`null`), "", "")
	f.Fuzz(func(t *testing.T, value []byte, raw, reason string) {
		_, _ = parseLetter(&kafka.Message{Value: value}, Mark{})
		written := DeadLetterValue(&source.Row{File: "f", Line: 7, Raw: []byte(raw)}, []string{"a"}, errors.New(reason))
		if !json.Valid(written) {
			t.Fatalf("%q is no JSON", written)
		}
		l, err := parseLetter(&kafka.Message{Value: written}, Mark{})
		if err != nil || l.Line != 7 || string(l.Raw) != raw {
			t.Errorf("%q came back as %q, %v", raw, l.Raw, err)
		}
	})
}
