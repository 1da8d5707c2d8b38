package storage

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

// lease is the lock on a blob or container ("Lease Blob", Azure Storage REST
// documentation). The zero value is available.
type lease struct {
	ID      string        `json:",omitempty"`
	For     time.Duration `json:",omitempty"` // negative: without end
	Until   time.Time     `json:",omitzero"`  // end of a lease with an end
	Broken  bool          `json:",omitempty"`
	BreakAt time.Time     `json:",omitzero"` // when a broken lease ends
}

func (l lease) state(now time.Time) string {
	switch {
	case l.ID == "":
		return "available"
	case l.Broken && now.Before(l.BreakAt):
		return "breaking"
	case l.Broken:
		return "broken"
	case l.For >= 0 && !now.Before(l.Until):
		return "expired"
	}
	return "leased"
}

// held tells whether the lease keeps others from writing.
func (l lease) held(now time.Time) bool {
	state := l.state(now)
	return state == "leased" || state == "breaking"
}

func (l lease) setHeaders(h http.Header, now time.Time) {
	h.Set("x-ms-lease-state", l.state(now))
	h.Set("x-ms-lease-status", l.status(now))
	if l.state(now) == "leased" {
		h.Set("x-ms-lease-duration", l.duration())
	}
}

func (l lease) status(now time.Time) string {
	if l.held(now) {
		return "locked"
	}
	return "unlocked"
}

func (l lease) duration() string {
	if l.For < 0 {
		return "infinite"
	}
	return "fixed"
}

// check applies x-ms-lease-id. what is Blob or Container; required is false for
// reads, which need no lease but may name one.
func (l lease) check(rq *request, now time.Time, what string, required bool) error {
	id := rq.header("x-ms-lease-id")
	switch {
	case id == "" && required && l.held(now):
		return fail(http.StatusPreconditionFailed, "LeaseIdMissing", "There is currently a lease on the %s and no lease ID was specified in the request.", what)
	case id == "":
		return nil
	case l.ID == "":
		return fail(http.StatusPreconditionFailed, "LeaseNotPresentWith"+what+"Operation", "There is currently no lease on the %s.", what)
	case id != l.ID:
		return fail(http.StatusPreconditionFailed, "LeaseIdMismatchWith"+what+"Operation", "The lease ID specified did not match the lease ID for the %s.", what)
	case !l.held(now):
		return fail(http.StatusPreconditionFailed, "LeaseLost", "A lease ID was specified, but the lease for the %s has expired.", what)
	}
	return nil
}

func leaseConflict(code, text string) error {
	return fail(http.StatusConflict, code, "%s", text)
}

// act carries out the x-ms-lease-action of a request and sets the answer's
// headers. It returns the lease afterwards and the status.
func (l lease) act(rq *request, now time.Time) (lease, int, error) {
	id, proposed, h := rq.header("x-ms-lease-id"), rq.header("x-ms-proposed-lease-id"), rq.w.Header()
	state := l.state(now)
	status := http.StatusOK
	switch action := rq.header("x-ms-lease-action"); action {
	case "acquire":
		seconds, err := strconv.Atoi(rq.header("x-ms-lease-duration"))
		if err != nil || seconds != -1 && (seconds < 15 || seconds > 60) {
			return l, 0, badHeader("x-ms-lease-duration", rq.header("x-ms-lease-duration"))
		}
		if state == "breaking" || state == "leased" && proposed != l.ID {
			return l, 0, leaseConflict("LeaseAlreadyPresent", "There is already a lease present.")
		}
		l = lease{ID: cmp.Or(proposed, newID()), For: time.Duration(seconds) * time.Second}
		l.Until = now.Add(l.For)
		status = http.StatusCreated
	case "renew":
		switch {
		case id != l.ID || l.ID == "":
			return l, 0, leaseConflict("LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID.")
		case l.Broken:
			return l, 0, leaseConflict("LeaseIsBrokenAndCannotBeRenewed", "The lease has been broken and cannot be renewed.")
		}
		l.Until = now.Add(l.For)
	case "change":
		switch {
		case state != "leased":
			return l, 0, leaseConflict("LeaseNotPresentWithLeaseOperation", "There is currently no lease that could be changed.")
		case id != l.ID && proposed != l.ID || proposed == "":
			return l, 0, leaseConflict("LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID.")
		}
		l.ID = proposed
	case "release":
		if id != l.ID || l.ID == "" {
			return l, 0, leaseConflict("LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID.")
		}
		return lease{}, http.StatusOK, nil
	case "break":
		return l.breakUp(rq, now, state)
	default:
		return l, 0, badHeader("x-ms-lease-action", action)
	}
	h.Set("x-ms-lease-id", l.ID)
	return l, status, nil
}

// breakUp ends a lease after its remaining time or, if that is shorter, the
// asked period; without a period a lease without end ends at once.
func (l lease) breakUp(rq *request, now time.Time, state string) (lease, int, error) {
	if state == "available" {
		return l, 0, leaseConflict("LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
	}
	var remaining time.Duration
	switch {
	case state == "breaking":
		remaining = l.BreakAt.Sub(now)
	case state == "leased" && l.For >= 0:
		remaining = l.Until.Sub(now)
	}
	if text := rq.header("x-ms-lease-break-period"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > 60 {
			return l, 0, badHeader("x-ms-lease-break-period", text)
		}
		period := time.Duration(seconds) * time.Second
		if l.For < 0 && state == "leased" {
			remaining = period
		}
		remaining = min(remaining, period)
	}
	l.Broken, l.BreakAt = true, now.Add(remaining)
	rq.w.Header().Set("x-ms-lease-time", strconv.Itoa(int((remaining+time.Second-1)/time.Second)))
	return l, http.StatusAccepted, nil
}
