package warehouse

import (
	"os"
	"testing"
)

func child(dir string) { os.Exit(0) }

func TestPipeLoadsOnce(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.put("prices/daily/1.json.gz", gz(row1+row2))
	l.eventually(`SELECT SYMBOL, "Day", CLOSE, VOLUME, AT, EXTRA FROM PRICES ORDER BY 1`,
		"A|2024-01-02T00:00:00Z|1.5|10|2024-01-02T03:04:05.123Z|{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}",
		"B|2024-01-03T00:00:00Z|2.5|20|2024-01-02T03:04:05.123Z|\"x\"")
}
