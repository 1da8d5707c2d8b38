package warehouse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Events that come twice, late and in any order load each file once. Those that never come are made good by a REFRESH that
// is bound to a time, which loads nothing that was loaded.
func TestEventsAnyHow(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	const files, perFile = 24, 10
	name := func(i int) string { return fmt.Sprintf("prices/daily/%02d.json.gz", i) }
	for i := range files {
		var b strings.Builder
		for r := range perFile {
			fmt.Fprintf(&b, `{"symbol":"A","volume":%d}`+"\n", i*perFile+r)
		}
		l.upload("landing", name(i), gz(b.String()))
	}
	rows := func(loaded int) string { return fmt.Sprintf("%d|%d", loaded*perFile, loaded*perFile) }
	const count = `SELECT COUNT(*), COUNT(DISTINCT VOLUME) FROM PRICES`
	// The last four are lost, the four before them come after the others were loaded.
	order := rand.New(rand.NewPCG(4, 2)).Perm(files - 8)
	for _, i := range append(order, order...) {
		l.notify("events", "landing", name(i), i%2 == 0)
	}
	l.eventually(count, rows(files-8))
	for i := files - 5; i >= files-8; i-- {
		l.notify("events", "landing", name(i), true)
		l.notify("events", "landing", name(0), false) // and one that was loaded long ago
	}
	l.eventually(count, rows(files-4))
	hour := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for range 2 {
		l.rows(`ALTER PIPE PRICES_IN REFRESH MODIFIED_AFTER = '` + hour + `'`)
	}
	l.eventually(count, rows(files))
	l.notify("events", "landing", name(files-1), true) // the lost one turns up
	l.notify("events", "landing", name(1), true)
	l.upload("landing", "prices/daily/last.json", []byte(`{"symbol":"A","volume":-1}`+"\n"))
	l.notify("events", "landing", "prices/daily/last.json", true) // tells when the queue is through
	l.eventually(count, fmt.Sprintf("%d|%d", files*perFile+1, files*perFile+1))
}
