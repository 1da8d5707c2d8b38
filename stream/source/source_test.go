package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// dump reads everything as "number file:line f1|f2" lines.
func dump(r *Reader) (string, error) {
	defer r.Close()
	var b strings.Builder
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		if row.Err != nil {
			fmt.Fprintf(&b, "%d:%d !%v\n", row.Number, row.Line, row.Err)
			continue
		}
		fmt.Fprintf(&b, "%d:%d %s\n", row.Number, row.Line, bytes.Join(row.Fields, []byte("|")))
	}
}

func TestRows(t *testing.T) {
	tests := []struct{ name, in, header, want string }{
		{"plain", "a,b\n1,2\n3,4\n", "a|b", "1:2 1|2\n2:3 3|4\n"},
		{"no final line end", "a,b\n1,2", "a|b", "1:2 1|2\n"},
		{"crlf", "a,b\r\n1,2\r\n", "a|b", "1:2 1|2\n"},
		{"bom", "\xef\xbb\xbfa,b\n1,2\n", "a|b", "1:2 1|2\n"},
		{"mangled bom", "\xc3\xaf\xc2\xbb\xc2\xbfa,b\r\n1,2\r\n", "a|b", "1:2 1|2\n"},
		{"quotes", "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "a|b", "1:2 x,y|say \"hi\"\n"},
		{"embedded line end", "a,b\r\n\"x\r\ny\",2\r\n3,4\r\n", "a|b", "1:2 x\r\ny|2\n2:4 3|4\n"},
		{"blank lines", "a,b\n\n1,2\r\n\r\n3,4\n\n", "a|b", "1:3 1|2\n2:5 3|4\n"},
		{"empty fields", "a,b\n,\n\"\",\n", "a|b", "1:2 |\n2:3 |\n"},
		{"quote inside", "a,b\n5\" disk,2\n", "a|b", "1:2 5\" disk|2\n"},
		{"quoted header", "\"a\", b \n1,2\n", "a|b", "1:2 1|2\n"},
		{"too few", "a,b\n1\n3,4\n", "a|b", "1:2 !the row has 1 fields, the header has 2\n2:3 3|4\n"},
		{"text after quote", "a,b\n\"1\"x,2\n3,4\n", "a|b", "1:2 !text follows a closing quote\n2:3 3|4\n"},
	}
	for _, tt := range tests {
		for _, small := range []bool{false, true} {
			in := io.Reader(strings.NewReader(tt.in))
			if small {
				in = iotest.OneByteReader(in)
			}
			r, err := Open(Config{Paths: []string{Stdin}, Stdin: in})
			if err != nil {
				t.Fatal(err)
			}
			got, err := dump(r)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if h := strings.Join(r.Header(), "|"); got != tt.want || h != tt.header {
				t.Errorf("%s (one byte at a time %v): header %q\n%swant %q\n%s", tt.name, small, h, got, tt.header, tt.want)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"empty":    {"", "a header is needed"},
		"utf16":    {"\xff\xfea\x00,\x00", "UTF-16"},
		"unclosed": {"a,b\n1,2\n\"3,4\n5,6\n", ":3: the row opens a quote"},
		"too long": {"a,b\n\"" + strings.Repeat("x\n", 60<<10), "longer than 100000 bytes"},
	} {
		r, err := Open(Config{Paths: []string{write(t, "f.csv", tt.in)}, MaxRow: 100000})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dump(r); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := Open(Config{Paths: []string{filepath.Join(t.TempDir(), "*.csv")}}); err == nil {
		t.Error("a glob that matches nothing must be an error")
	}
}

// A folder that cannot be read hides no file.
func TestFilesBelowFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/2.csv", "a/deep/{1}[2]*.csv", "a/note.txt", "0.csv"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a,b\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	below := []string{filepath.Join(dir, "**", "*.{csv,tsv}")}
	got, err := Files(below)
	for i := range got {
		got[i], _ = filepath.Rel(dir, got[i])
	}
	if want := []string{"0.csv", "a/deep/{1}[2]*.csv", "b/2.csv"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	// What is found is a name, and no pattern any more.
	if got, err := Headers(Config{Paths: below}); err != nil || len(got) != 3 || !slices.Equal(got[1].Columns, []string{"a", "b"}) {
		t.Errorf("headers %v, %v", got, err)
	}
	if got, err := Files([]string{filepath.Join(dir, "a")}); err == nil {
		t.Errorf("a folder is no file, got %v", got)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if got, err := Files(below); err == nil {
		t.Errorf("a folder that cannot be opened, got %v", got)
	}
}

func TestFilesInOrderAndCompressed(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var gz, zs bytes.Buffer
	w := gzip.NewWriter(&gz)
	io.WriteString(w, "b,a\n3,4\n")
	w.Close()
	z, _ := zstd.NewWriter(&zs)
	io.WriteString(z, "a,b\n5,6\n")
	z.Close()
	put("2.csv.gz", gz.Bytes())
	put("3.csv.zst", zs.Bytes())
	put("1.csv", []byte("a,b\n1,2"))
	cfg := Config{Paths: []string{filepath.Join(dir, "1*"), filepath.Join(dir, "*")}}
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dump(r)
	if want := "1:2 1|2\n2:2 3|4\n3:2 5|6\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	hs, err := Headers(cfg)
	if err != nil || len(hs) != 3 || hs[1].Columns[0] != "b" {
		t.Errorf("headers %v, %v", hs, err)
	}
	for _, cut := range []int{0, 5, gz.Len() - 9} {
		put("2.csv.gz", gz.Bytes()[:cut])
		r, err := Open(Config{Paths: []string{filepath.Join(dir, "2*")}})
		if err == nil {
			_, err = dump(r)
		}
		if err == nil || !strings.Contains(err.Error(), "2.csv.gz: the file ends too early") {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// A file may grow, and gain the line end of its last line; what was read
// before keeps its digests.
func TestDigestOfPrefix(t *testing.T) {
	digests := func(text string) (out []uint64) {
		r, err := Open(Config{Paths: []string{Stdin}, Stdin: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		for {
			row, err := r.Next()
			if err != nil {
				return out
			}
			out = append(out, row.Digest)
		}
	}
	short, long := digests("a,b\r\n1,2\r\n\r\n3,4"), digests("a,b\r\n1,2\r\n\r\n3,4\r\n5,6\r\n")
	if len(short) != 2 || len(long) != 3 || short[0] != long[0] || short[1] != long[1] {
		t.Fatalf("digests %x and %x", short, long)
	}
	if want := xxhash.Sum64String("a,b\r\n1,2\r\n\r\n3,4"); short[1] != want {
		t.Errorf("digest %x, want %x", short[1], want)
	}
	if changed := digests("a,b\r\n1,3\r\n\r\n3,4"); changed[0] == short[0] || changed[1] == short[1] {
		t.Error("a changed row keeps its digest")
	}
}

// FuzzAgainstEncodingCSV: what encoding/csv reads without complaint, this
// package reads alike.
func FuzzAgainstEncodingCSV(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("a,b\r\n\"x\r\ny\",\"q\"\"q\"\r\n\r\n3,4")
	f.Add("a\n\"\"\n\"x\"")
	f.Fuzz(func(t *testing.T, in string) {
		if strings.HasPrefix(in, "\xff\xfe") || strings.HasPrefix(in, "\xfe\xff") ||
			strings.HasPrefix(in, "\xef\xbb\xbf") || strings.HasPrefix(in, "\xc3\xaf\xc2\xbb\xc2\xbf") {
			return
		}
		// encoding/csv turns \r\n inside quotes into \n.
		want, wantErr := csv.NewReader(strings.NewReader(in)).ReadAll()
		r, err := Open(Config{Paths: []string{Stdin}, Stdin: iotest.OneByteReader(strings.NewReader(in))})
		if err != nil {
			t.Fatal(err)
		}
		var got [][]string
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || row.Err != nil {
				if wantErr == nil && len(want) > 0 {
					t.Fatalf("%v, %v on what encoding/csv takes", err, row)
				}
				return // encoding/csv refused it, or it is blank
			}
			var fields []string
			for _, f := range row.Fields {
				fields = append(fields, strings.ReplaceAll(string(f), "\r\n", "\n"))
			}
			got = append(got, fields)
		}
		if wantErr != nil || len(want) == 0 {
			return
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want[1:]) {
			t.Fatalf("%q\n got %q\nwant %q", in, got, want[1:])
		}
	})
}

func BenchmarkRows(b *testing.B) {
	var in strings.Builder
	in.WriteString("Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD\n")
	for in.Len() < 10<<20 {
		in.WriteString("NYA,1965-12-31,528.690002,528.690002,528.690002,528.690002,528.690002,0,528.690002\n")
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		r, _ := Open(Config{Paths: []string{Stdin}, Stdin: strings.NewReader(in.String())})
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

func TestDelimiters(t *testing.T) {
	for _, d := range []byte{';', '\t', '|', ' '} {
		in := strings.NewReplacer("#", string(d)).Replace("a#b\r\n1,5#\"x#\"\"y\"\"\"\r\n#\r\n")
		r, err := Open(Config{Paths: []string{Stdin}, Stdin: strings.NewReader(in), Delimiter: d})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || row.Err != nil {
				t.Fatal(err, row)
			}
			got = append(got, string(bytes.Join(row.Fields, []byte("~"))))
		}
		r.Close()
		if want := []string{"1,5~x" + string(d) + `"y"`, "~"}; !slices.Equal(got, want) || !slices.Equal(r.Header(), []string{"a", "b"}) {
			t.Errorf("%q: %q, want %q", d, got, want)
		}
	}
}
