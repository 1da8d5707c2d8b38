package audit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/stream/codec"
	"mkt/stream/rowfile"
)

// eachRow downloads a file, whose format its name tells, and puts one row
// after the other into s. What is wrong with a row goes to f as bad; text
// gives the row for an example.
func eachRow(ctx context.Context, blobs *container.Client, name string, s *shape, f func(text func() string, bad error) error) error {
	switch path.Ext(name) {
	case ".avro", ".parquet":
		body, err := download(ctx, blobs, name)
		if err != nil {
			return err
		}
		defer body.Close()
		if path.Ext(name) == ".avro" {
			err = readAvro(body, s, f)
		} else {
			err = readParquet(body, s, f)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return nil
	}
	return eachLine(ctx, blobs, name, func(line []byte) error {
		return f(func() string { return string(bytes.TrimSpace(line)) }, s.setJSON(line))
	})
}

// download opens a blob; a connection that breaks is opened again.
func download(ctx context.Context, blobs *container.Client, name string) (io.ReadCloser, error) {
	res, err := blobs.NewBlobClient(name).DownloadStream(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	return res.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: 5}), nil
}

func readAvro(body io.Reader, s *shape, f func(text func() string, bad error) error) error {
	var scratch []codec.Value
	return rowfile.EachAvro(bufio.NewReaderSize(body, 1<<18), func(schema *codec.Schema, datum []byte) error {
		return f(func() string {
			text, _ := schema.AppendJSON(nil, datum)
			return string(text)
		}, s.setDatum(schema, datum, &scratch))
	})
}

func readParquet(body io.Reader, s *shape, f func(text func() string, bad error) error) error {
	file, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return rowfile.EachParquet(file, s.fields, func(vals []codec.Value) error {
		copy(s.vals, vals)
		return f(s.text, nil)
	})
}

// eachLine downloads a file and goes through its lines.
func eachLine(ctx context.Context, blobs *container.Client, name string, f func(line []byte) error) error {
	body, err := download(ctx, blobs, name)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := rowfile.EachLine(name, body, f); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
