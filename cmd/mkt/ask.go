package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// errNobody says that there was nobody to answer, errInterrupted that who was asked interrupted.
var (
	errNobody      = errors.New("nobody answered")
	errInterrupted = errors.New("interrupted before an answer")
)

// yes asks a question and reports whether the answer was "yes". An interrupt is an answer too: a read cannot be cut off, so it is left behind.
func (c *cli) yes(ctx context.Context, format string, args ...any) (bool, error) {
	c.view(c.out).Printf(format+" Only \"yes\" will do: ", args...)
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(c.in).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return false, errInterrupted
	case answer := <-read:
		if answer.err != nil && answer.text == "" {
			return false, errNobody
		}
		return strings.TrimSpace(answer.text) == "yes", nil
	}
}

// eachLine calls f for every line of what is read until it ends or ctx does, whose error is returned then.
func eachLine(ctx context.Context, r io.Reader, f func(string)) error {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		scan := bufio.NewScanner(r)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- scan.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-lines:
			f(line)
		case err := <-failed:
			return err
		}
	}
}
