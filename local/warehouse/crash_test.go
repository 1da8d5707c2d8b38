package warehouse

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// child runs a warehouse on the directory until it is killed.
func child(dir string) {
	var ep StorageEndpoint
	if err := json.Unmarshal([]byte(os.Getenv("MKT_WAREHOUSE_STORAGE")), &ep); err != nil {
		panic(err)
	}
	_, err := Open(Config{Dir: dir, Account: "local", User: "mkt", Password: testPassword,
		Storage: func(a string) (StorageEndpoint, bool) { return ep, a == testAccount }})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

// TestKilledLoads kills a process that loads, again and again, and counts the rows at the end.
func TestKilledLoads(t *testing.T) {
	l := newLab(t)
	l.pipeline()
	l.exec(`ALTER PIPE PRICES_IN SET PIPE_EXECUTION_PAUSED = TRUE`)
	const files, perFile = 60, 200
	for i := range files {
		var b strings.Builder
		for r := range perFile {
			fmt.Fprintf(&b, `{"symbol":"A","volume":%d}`+"\n", i*perFile+r)
		}
		l.put(fmt.Sprintf("prices/daily/%d.json.gz", i), gz(b.String()))
		l.notify("events", "landing", fmt.Sprintf("prices/daily/%d.json.gz", i), i%2 == 0)
	}
	l.exec(`ALTER PIPE PRICES_IN SET PIPE_EXECUTION_PAUSED = FALSE`)
	l.close()
	ep, err := json.Marshal(l.ep)
	check(t, err)
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "MKT_WAREHOUSE_CHILD="+l.dir, "MKT_WAREHOUSE_STORAGE="+string(ep))
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		line := make([]byte, 5)
		if _, err := out.Read(line); err != nil || string(line) != "ready" {
			t.Fatalf("child said %q, %v", line, err)
		}
		time.Sleep(time.Duration(10+30*round) * time.Millisecond)
		check(t, cmd.Process.Kill())
		cmd.Wait()
	}
	l.open()
	l.exec(`USE MARKET.RAW`)
	l.eventually(`SELECT COUNT(*), COUNT(DISTINCT VOLUME), MIN(VOLUME), MAX(VOLUME) FROM PRICES`, fmt.Sprintf("%d|%d|0|%d", files*perFile, files*perFile, files*perFile-1))
	l.want(`SELECT COUNT(*), SUM(ROW_COUNT) FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'PRICES', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP())))`, fmt.Sprintf("%d|%d", files, files*perFile))
}

// TestOneProcess opens a directory that another process has.
func TestOneProcess(t *testing.T) {
	l := newLab(t)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "MKT_WAREHOUSE_CHILD="+l.dir, "MKT_WAREHOUSE_STORAGE={}")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "open warehouse in") {
		t.Errorf("a second process opened the directory: %s", out)
	}
	l.want(`SELECT 1`, "1")
}
