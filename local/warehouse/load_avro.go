package warehouse

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/avro/ocf"
)

// avroLines writes the records of an Avro object container file as JSON, one per line, and gives the keys.
func avroLines(out *bufio.Writer, in io.Reader) (map[string]bool, error) {
	codec, err := ocf.ZstdCodec(nil, nil)
	if err != nil {
		return nil, err
	}
	r, err := ocf.NewReader(in, ocf.WithCodec(codec))
	if err != nil {
		return nil, fmt.Errorf("file is no Avro object container: %w", err)
	}
	defer r.Close()
	keys := map[string]bool{}
	var line []byte
	for {
		var v any
		if err := r.Decode(&v); errors.Is(err, io.EOF) {
			return keys, nil
		} else if err != nil {
			return nil, fmt.Errorf("record of the Avro file: %w", err)
		}
		rec, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("the Avro file holds no records")
		}
		for k := range rec {
			keys[k] = true
		}
		if line, err = appendAvro(line[:0], v); err != nil {
			return nil, err
		}
		line = append(line, '\n')
		if _, err := out.Write(line); err != nil {
			return nil, err
		}
	}
}

// appendAvro writes a decoded Avro value as JSON: times as ISO text, bytes as hex, decimals as text,
// because DuckDB reads a JSON number as a double.
func appendAvro(b []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float32:
		return appendFloat(b, float64(v), 32), nil
	case float64:
		return appendFloat(b, v, 64), nil
	case json.Number:
		return append(append(append(b, '"'), v...), '"'), nil
	case *big.Rat:
		prec, _ := v.FloatPrec()
		return append(append(append(b, '"'), v.FloatString(prec)...), '"'), nil
	case time.Time:
		b = append(b, '"')
		b = v.UTC().AppendFormat(b, "2006-01-02T15:04:05.999999999")
		return append(b, '"'), nil
	case time.Duration:
		return append(b, `"`+time.Time{}.Add(v).Format("15:04:05.999999999")+`"`...), nil
	case []byte:
		return append(b, `"`+hex.EncodeToString(v)+`"`...), nil
	case map[string]any:
		b = append(b, '{')
		first := true
		for k, e := range v {
			if !first {
				b = append(b, ',')
			}
			first = false
			if b, err = appendAvro(b, k); err != nil {
				return nil, err
			}
			b = append(b, ':')
			if b, err = appendAvro(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendAvro(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	raw, err := json.Marshal(v)
	return append(b, raw...), err
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, `"`+strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, bits), "+")+`"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}
