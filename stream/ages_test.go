package stream

import (
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("%s is %s, want about %s", what, got, want)
		}
	}
	now := time.Date(2026, 1, 2, 3, 4, 30, 0, time.UTC)
	var a Ages
	if f := a.Freshness(now); f != (Freshness{}) {
		t.Errorf("nothing arrived: %+v", f)
	}
	a.Add(now, 0, 10*time.Second, 1000) // evenly: half of them younger than 5 s
	f := a.Freshness(now)
	near("p50", f.P50, 5*time.Second)
	near("p99", f.P99, 9900*time.Millisecond)
	if f.Rows != 1000 {
		t.Errorf("%d rows", f.Rows)
	}
	a.Add(now.Add(time.Minute), time.Hour, time.Hour, 9000)
	f = a.Freshness(now.Add(time.Minute))
	near("p50", f.P50, time.Hour)
	if f = a.Freshness(now.Add(5 * time.Minute)); f.Rows != 9000 {
		t.Errorf("of the last five minutes are %d rows", f.Rows)
	}
	if f = a.Freshness(now.Add(time.Hour)); f.Rows != 0 {
		t.Errorf("an hour later: %+v", f)
	}
	a.Add(now.Add(2*time.Hour), -time.Second, 100*365*24*time.Hour, 1) // clocks differ, and a topic may be old
	if f = a.Freshness(now.Add(2 * time.Hour)); f.Rows != 1 {
		t.Errorf("%+v", f)
	}
}
