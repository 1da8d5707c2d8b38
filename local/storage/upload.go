package storage

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"os"
)

// nvme is the CRC-64 polynomial of x-ms-content-crc64, reversed.
var nvme = crc64.MakeTable(0x9A6C9329AC4BC9B5)

// uploaded is a request body in a synced file that nothing refers to yet.
type uploaded struct {
	file  string
	size  int64
	md5   []byte
	crc64 []byte // little endian
	asked bool   // the client sent a CRC, so it gets one back
}

const maxUpload = 5000 << 20 // bytes in one Put Blob, as in Azure

// hex16 is 16 hexadecimal digits.
func hex16(n int64) string { return fmt.Sprintf("%016x", n) }

// upload writes the body to a new file and checks it against the hashes in the
// headers. On error nothing is left.
func (s *Storage) upload(rq *request) (up uploaded, err error) {
	if rq.r.ContentLength < 0 {
		return up, fail(http.StatusLengthRequired, "MissingContentLengthHeader", "Content-Length HTTP header is required.")
	}
	if rq.r.ContentLength > maxUpload {
		return up, fail(http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body is larger than %d bytes.", int64(maxUpload))
	}
	up.file = rand.Text()
	f, err := os.OpenFile(s.path(up.file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return up, s.internal(err)
	}
	defer func() {
		f.Close()
		if err != nil {
			_ = os.Remove(s.path(up.file))
		}
	}()
	sum, crc := md5.New(), crc64.New(nvme)
	hashes := []io.Writer{f, sum}
	want := rq.header("x-ms-content-crc64")
	if up.asked = want != ""; up.asked {
		hashes = append(hashes, crc)
	}
	body := &bodyReader{r: rq.r.Body}
	if up.size, err = io.Copy(io.MultiWriter(hashes...), body); err != nil {
		if body.err != nil {
			return up, fail(http.StatusBadRequest, "RequestBodyIncomplete", "The request body ended early: %v.", err)
		}
		return up, s.internal(err)
	}
	up.md5 = sum.Sum(nil)
	if text := rq.header("Content-MD5"); text != "" && text != encodeMD5(up.md5) {
		return up, fail(http.StatusBadRequest, "Md5Mismatch", "The MD5 value specified in the request did not match with the MD5 value calculated by the server.")
	}
	if up.asked {
		up.crc64 = binary.LittleEndian.AppendUint64(nil, crc.Sum64())
		if want != base64.StdEncoding.EncodeToString(up.crc64) {
			return up, fail(http.StatusBadRequest, "Crc64Mismatch", "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.")
		}
	}
	if err := f.Sync(); err != nil {
		return up, s.internal(err)
	}
	return up, nil
}

func (up uploaded) setHeaders(h http.Header) {
	if up.asked {
		h.Set("x-ms-content-crc64", base64.StdEncoding.EncodeToString(up.crc64))
	}
	h.Set("Content-MD5", encodeMD5(up.md5))
}

// bodyReader remembers that reading, not writing, failed.
type bodyReader struct {
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// link gives a file's bytes a second name, so that each version has its own.
func (s *Storage) link(file string) (string, error) {
	name := rand.Text()
	if err := os.Link(s.path(file), s.path(name)); err != nil {
		return "", s.internal(err)
	}
	return name, nil
}

// assemble writes the given parts of files one after another into a new file.
func (s *Storage) assemble(parts []part) (file string, err error) {
	file = rand.Text()
	out, err := os.OpenFile(s.path(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", s.internal(err)
	}
	for _, p := range parts {
		if err = p.copyTo(out, s.path(p.file)); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Sync()
	}
	out.Close()
	if err != nil {
		_ = os.Remove(s.path(file))
		return "", s.internal(err)
	}
	return file, nil
}

// part is a range of a blob file, in bytes.
type part struct {
	file         string
	offset, size int64
}

func (p part) copyTo(out *os.File, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.Seek(p.offset, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(out, in, p.size)
	return err
}
