package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"mkt/spec"
)

// The file. Its head comes first, so that a serial can be checked without reading the rest.
type file struct {
	Version int               `json:"mkt_ledger"`
	Lineage string            `json:"lineage"`
	Serial  uint64            `json:"serial"`
	Key     []byte            `json:"key"`
	Entries []fileEntry       `json:"resources"`
	Intents []fileIntent      `json:"intents,omitempty"`
	Waits   []fileWait        `json:"waits,omitempty"`
	Outputs map[string]string `json:"outputs,omitempty"`

	Recovered *Recovered `json:"recovered,omitempty"`
	Sum       string     `json:"sum,omitempty"` // of all text before its line
}

type fileEntry struct {
	Address string `json:"address"`
	Entry
}

type fileIntent struct {
	Address string `json:"address"`
	Intent
}

type fileWait struct {
	Address string `json:"address"`
	Wait
}

// Encode returns the ledger as JSON: entries ordered by address, one to a line, so that two generations compare well.
func (l *Ledger) Encode() ([]byte, error) {
	var out bytes.Buffer
	line := func(before string, v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode ledger: %w", err)
		}
		out.WriteString(before)
		out.Write(text)
		return nil
	}
	var errs []error
	errs = append(errs,
		line("{\n\"mkt_ledger\": ", Version),
		line(",\n\"lineage\": ", l.Lineage),
		line(",\n\"serial\": ", l.Serial),
		line(",\n\"key\": ", l.key))
	list := func(before string, entries []any) {
		if len(entries) == 0 {
			out.WriteString(before)
		}
		for _, e := range entries {
			errs = append(errs, line(before, e))
			before = ",\n"
		}
	}
	list(",\n\"resources\": [\n", inOrder(l.Entries, func(addr string, e *Entry) any { return fileEntry{addr, *e} }))
	list("\n],\n\"intents\": [\n", inOrder(l.Intents, func(addr string, i Intent) any { return fileIntent{addr, i} }))
	list("\n],\n\"waits\": [\n", inOrder(l.Waits, func(addr string, w Wait) any { return fileWait{addr, w} }))
	errs = append(errs, line("\n],\n\"outputs\": ", l.Outputs))
	if l.Recovered != nil {
		errs = append(errs, line(",\n\"recovered\": ", l.Recovered))
	}
	fmt.Fprintf(&out, "%s%016x\"\n}\n", sumLine, xxhash.Sum64(out.Bytes()))
	return out.Bytes(), errors.Join(errs...)
}

// inOrder returns what is written for each value, by address.
func inOrder[V any](values map[spec.Addr]V, entry func(addr string, v V) any) []any {
	entries := make([]any, 0, len(values))
	for _, addr := range slices.SortedFunc(maps.Keys(values), spec.Addr.Compare) {
		entries = append(entries, entry(addr.String(), values[addr]))
	}
	return entries
}

const sumLine = ",\n\"sum\": \""

// checkSum compares a text with the checksum that Encode wrote into it. A text that was formatted anew has its own.
func checkSum(text []byte, l *Ledger, sum string) error {
	at := bytes.LastIndex(text, []byte(sumLine))
	if sum == "" || at >= 0 && fmt.Sprintf("%016x", xxhash.Sum64(text[:at])) == sum {
		return nil
	}
	written, err := l.Encode()
	if err == nil && bytes.Contains(written, []byte(sumLine+sum)) {
		return nil
	}
	return broken("it is damaged: its checksum is not that of its text")
}

// Decode reads what Encode wrote. Its errors say whether the text is cut short, no ledger or of a newer mkt.
func Decode(text []byte) (*Ledger, error) {
	var head struct {
		Version *int `json:"mkt_ledger"`
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, broken("it is empty")
	}
	if err := json.Unmarshal(text, &head); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && int(syntax.Offset) >= len(text) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, broken("it is cut short after %d bytes", len(text))
		}
		return nil, broken("it is not JSON: %w", err)
	}
	if head.Version == nil {
		return nil, errors.New("it is not a ledger of mkt")
	}
	if *head.Version > Version {
		return nil, &newerError{*head.Version}
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if *head.Version < 1 || f.Lineage == "" || len(f.Key) == 0 {
		return nil, errors.New("it is damaged: version, lineage or key is missing")
	}
	l := New()
	l.Lineage, l.Serial, l.key = f.Lineage, f.Serial, f.Key
	var errs []error
	parse := func(text string) spec.Addr {
		addr, ok := spec.ParseAddr(text)
		if !ok {
			errs = append(errs, fmt.Errorf("it is damaged: %q is no address", text))
		}
		return addr
	}
	for _, e := range f.Entries {
		addr := parse(e.Address)
		if l.Entries[addr] != nil {
			errs = append(errs, fmt.Errorf("it is damaged: %s is in it twice", addr))
		}
		l.Entries[addr] = &e.Entry
	}
	for _, i := range f.Intents {
		l.Intents[parse(i.Address)] = i.Intent
	}
	for _, w := range f.Waits {
		l.Waits[parse(w.Address)] = w.Wait
	}
	if len(errs) > 0 {
		return nil, errs[0]
	}
	maps.Copy(l.Outputs, f.Outputs)
	l.Recovered = f.Recovered
	if err := checkSum(text, l, f.Sum); err != nil {
		return nil, err
	}
	return l, nil
}
