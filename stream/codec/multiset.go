package codec

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Multiset is a digest of rows that does not depend on their order: two are
// equal when, but for a chance of about 2^-64, they saw the same rows equally
// often. It can be added and subtracted, and takes the same memory for any
// number of rows.
type Multiset struct {
	Rows uint64
	A, B uint64 // sums of two hashes of each row, modulo 2^64
}

// Add takes in one row.
func (m *Multiset) Add(row []byte) { m.AddHash(xxhash.Sum64(row)) }

// AddHash takes in one row by its xxhash64.
func (m *Multiset) AddHash(h uint64) {
	m.Rows++
	m.A += h
	m.B += mix(h)
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Text is the digest as 48 hexadecimal digits.
func (m Multiset) Text() string {
	var b [24]byte
	binary.BigEndian.PutUint64(b[0:], m.Rows)
	binary.BigEndian.PutUint64(b[8:], m.A)
	binary.BigEndian.PutUint64(b[16:], m.B)
	return hex.EncodeToString(b[:])
}

// ParseMultiset reads what Text wrote.
func ParseMultiset(text string) (Multiset, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 24 {
		return Multiset{}, fmt.Errorf("%q is no digest of rows", text)
	}
	return Multiset{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}, nil
}
