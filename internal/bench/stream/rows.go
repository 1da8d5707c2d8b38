package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

const header = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"

// writeRows writes a CSV of n rows. They are those of the file named data, over
// and over, each time under other keys; without data they are made up.
func writeRows(path, data string, n int) error {
	lines := madeUp(50_000)
	if data != "" {
		text, err := os.ReadFile(data)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\r\n"), []byte("\n"))
		lines = bytes.Split(text, []byte("\n"))
		if string(lines[0]) != header {
			return fmt.Errorf("%s: the header is %q, and the benchmark is of %q", data, lines[0], header)
		}
		lines = lines[1:]
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, header)
	for i := range n {
		line := lines[i%len(lines)]
		key, rest, _ := bytes.Cut(line, []byte(","))
		if round := i / len(lines); round > 0 {
			fmt.Fprintf(w, "%s%d,%s\n", key, round, rest)
		} else {
			fmt.Fprintf(w, "%s\n", line)
		}
	}
	return w.Flush()
}

// madeUp is lines in the manner of stock indexes.
func madeUp(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	keys := []string{"NYA", "IXIC", "HSI", "000001.SS", "GSPTSE", "NSEI", "GDAXI", "KS11", "SSMI", "TWII", "J203.JO", "N225", "399001.SZ", "N100"}
	out := make([][]byte, 0, n)
	for i := range n {
		key, day := keys[i*len(keys)/n], time.Date(1965, 1, 5+i%(n/len(keys)), 0, 0, 0, 0, time.UTC)
		open := 100 + 30000*r.Float64()
		high, low, end := open*1.01, open*0.99, open*(0.99+0.02*r.Float64())
		out = append(out, fmt.Appendf(nil, "%s,%s,%.6f,%.6f,%.6f,%.6f,%.6f,%d,%.8f",
			key, day.Format(time.DateOnly), open, high, low, end, end, r.IntN(1e9), end*0.13))
	}
	return out
}
