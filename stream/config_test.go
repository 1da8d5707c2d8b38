package stream

import (
	"math"
	"testing"
)

func TestProducerWithoutLimit(t *testing.T) {
	p := Producer{Name: "p", Topic: "t", Subject: "s"}
	if err := p.check(); err != nil {
		t.Errorf("a rate of 0: %v", err)
	}
	for _, rate := range []float64{-1, math.Inf(1)} {
		p.Rate = rate
		if p.check() == nil {
			t.Errorf("a rate of %v is taken", rate)
		}
	}
}
