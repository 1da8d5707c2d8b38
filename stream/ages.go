package stream

import (
	"math"
	"sync"
	"time"
)

// Freshness is how old rows were when they arrived somewhere: in the topic
// since they were read, in a file or a table since they were sent. It speaks
// of the last five minutes; the zero value is without rows.
type Freshness struct {
	P50, P99 time.Duration
	Rows     int64
}

const (
	ageSlots  = 5
	slotTime  = time.Minute
	perOctave = 8 // buckets: a quantile is off by less than a tenth
	ageLimits = 30 * perOctave
)

// Ages counts the ages of rows, a batch at a time. The zero value is ready to
// be used, by any number of goroutines.
type Ages struct {
	mu    sync.Mutex
	slots [ageSlots]struct {
		minute int64
		counts [ageLimits + 1]float64
	}
}

// Add counts rows whose ages at the time now lie evenly between newest and
// oldest.
func (a *Ages) Add(now time.Time, newest, oldest time.Duration, rows int64) {
	if rows <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	minute := now.UnixNano() / int64(slotTime)
	s := &a.slots[minute%ageSlots]
	if s.minute != minute {
		s.minute = minute
		clear(s.counts[:])
	}
	low, high := float64(max(newest, 0)), float64(max(newest, oldest, 0))
	for i := ageBucket(low); i <= ageBucket(high); i++ {
		share := 1.0
		if high > low {
			top := min(high, ageLimit(i))
			if i == ageLimits { // and all that is older
				top = high
			}
			share = max(top-max(low, ageLimit(i-1)), 0) / (high - low)
		}
		s.counts[i] += share * float64(rows)
	}
}

// Freshness is the ages of the last five minutes before now.
func (a *Ages) Freshness(now time.Time) Freshness {
	a.mu.Lock()
	defer a.mu.Unlock()
	var sum [ageLimits + 1]float64
	var all float64
	oldest := now.UnixNano()/int64(slotTime) - ageSlots
	for i := range a.slots {
		if a.slots[i].minute <= oldest {
			continue
		}
		for j, n := range a.slots[i].counts {
			sum[j] += n
			all += n
		}
	}
	if all == 0 {
		return Freshness{}
	}
	quantile := func(q float64) time.Duration {
		left := q * all
		for i, n := range sum {
			if n > 0 && left <= n {
				low := ageLimit(i - 1)
				return time.Duration(low + (ageLimit(i)-low)*left/n)
			}
			left -= n
		}
		return time.Duration(ageLimit(ageLimits))
	}
	return Freshness{quantile(0.5), quantile(0.99), int64(math.Round(all))}
}

// ageLimit is the upper limit of a bucket, in nanoseconds: a millisecond, and
// then eight of them until it has doubled.
func ageLimit(i int) float64 {
	if i < 0 {
		return 0
	}
	return float64(time.Millisecond) * math.Exp2(float64(i)/perOctave)
}

func ageBucket(age float64) int {
	if age <= float64(time.Millisecond) {
		return 0
	}
	return min(int(math.Ceil(perOctave*math.Log2(age/float64(time.Millisecond)))), ageLimits)
}
