package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mkt/stream"
)

// table audits a table against the files it is loaded from.
func (a *auditor) table(ctx context.Context, t Table) error {
	h := Hop{Kind: TableRows, Name: t.Name}
	var sides []side
	var s *shape
	seen := map[string]bool{}
	twice := int64(0) // rows that were sent to a topic that is gone, and to the present one
	for _, name := range t.Consumers {
		cf, ok := a.files[name]
		if !ok {
			return fmt.Errorf("there is no consumer %q in the audit", name)
		}
		sh := newShape(cf.fields).only(func(field string) bool { _, ok := t.Columns[field]; return ok })
		if s == nil {
			s = newShape(sh.fields)
			for _, f := range cf.fields {
				if _, ok := s.index[f.Name]; !ok {
					h.Notes = append(h.Notes, fmt.Sprintf("field %q has no column that could be compared", f.Name))
				}
			}
		} else if fmt.Sprint(names(sh.fields)) != fmt.Sprint(names(s.fields)) {
			return fmt.Errorf("the consumers of the table have records of different fields")
		}
		h.Of = strings.TrimPrefix(h.Of+", consumer."+name, ", ")
		// Groups of one prefix share their files.
		loads := func(files []stream.File) []stream.File {
			return slices.DeleteFunc(slices.Clone(files), func(f stream.File) bool {
				name := cf.blobs.URL() + " " + f.Name
				known := seen[name]
				seen[name] = true
				return known
			})
		}
		filesNow, filesBefore := loads(cf.now), loads(cf.before)
		h.Files += int64(len(filesNow) + len(filesBefore))
		var quiet Hop // the files were audited before
		whole := newShape(cf.fields)
		now := cf.side(ctx, whole, filesNow, &quiet)
		before, again, err := without(cf.side(ctx, whole, filesBefore, &quiet), now)
		if err != nil {
			return err
		}
		twice += again
		sides = append(sides, sh.of(whole, before), sh.of(whole, now))
	}
	if s == nil {
		return fmt.Errorf("no consumer of the audit fills it")
	}
	if len(s.fields) == 0 {
		h.Notes = []string{"no field has a column of its own: the rows were counted, and not compared"}
	}
	expected := both(sides...)
	got := t.side(ctx, s)
	expectedSum, err := sum(expected)
	if err != nil {
		return err
	}
	gotSum, err := sum(got)
	if err != nil {
		return err
	}
	h.Expected, h.Got = int64(expectedSum.Rows), int64(gotSum.Rows)
	if gotSum != expectedSum {
		if h.Lost, h.Doubled, h.Examples, err = diff(expected, got, max(h.Expected, h.Got), a.cfg.Examples); err != nil {
			return err
		}
	}
	if twice > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%d rows of a topic that is gone are in files of the present one, too: after it was re-created they were sent again,"+
			" and belong into the table once", twice))
		if h.Doubled > 0 {
			h.Notes = append(h.Notes, fmt.Sprintf("where rows are one of a kind, this takes the second ones out: INSERT OVERWRITE INTO %s SELECT DISTINCT * FROM %[1]s", t.Name))
		}
	}
	a.report.Hops = append(a.report.Hops, h)
	return nil
}

// of is the rows of a side of another shape that has all fields of s.
func (s *shape) of(whole *shape, rows side) side {
	return func(yield func(uint64, func() Example) error) error {
		return rows(func(_ uint64, example func() Example) error {
			for i, f := range s.fields {
				s.vals[i] = whole.vals[whole.index[f.Name]]
			}
			return yield(s.hash(), example)
		})
	}
}

// without is the rows of a side that are not in the other, and how many are.
// It holds a hash of each row of the side: of a topic that is gone, as a rule
// none.
func without(s, other side) (side, int64, error) {
	left := map[uint64]int64{}
	err := s(func(h uint64, _ func() Example) error { left[h]++; return nil })
	if err != nil || len(left) == 0 {
		return s, 0, err
	}
	again := int64(0)
	err = other(func(h uint64, _ func() Example) error {
		if left[h] > 0 {
			left[h]--
			again++
		}
		return nil
	})
	return func(yield func(uint64, func() Example) error) error {
		left := maps.Clone(left)
		return s(func(h uint64, example func() Example) error {
			if left[h] == 0 {
				return nil
			}
			left[h]--
			return yield(h, example)
		})
	}, again, err
}

// side is the rows of the table by content.
func (t Table) side(ctx context.Context, s *shape) side {
	return func(yield func(uint64, func() Example) error) error {
		cols := make([]string, len(s.fields), len(s.fields)+1)
		vals := make([]any, len(s.fields))
		into := make([]any, len(s.fields), len(s.fields)+1)
		for i, f := range s.fields {
			cols[i] = t.Columns[f.Name]
			into[i] = &vals[i]
		}
		if len(cols) == 0 {
			cols, into = append(cols, "1"), append(into, new(any))
		}
		rows, err := t.DB.QueryContext(ctx, "SELECT "+strings.Join(cols, ", ")+" FROM "+t.Name)
		if err != nil {
			return fmt.Errorf("select from %s: %w", t.Name, err)
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return fmt.Errorf("read %s: %w", t.Name, err)
			}
			other := false
			for i, f := range s.fields {
				v, err := sqlValue(f, vals[i])
				other = other || err != nil
				s.vals[i] = v
			}
			h := s.hash()
			if other { // a value that is none of its field: the row equals none of the files
				h = ^h
			}
			err := yield(h, func() Example {
				parts := make([]string, len(vals))
				for i := range vals {
					parts[i] = cols[i] + "=" + sqlText(vals[i])
				}
				return Example{Where: "table " + t.Name, Text: strings.Join(parts, " ")}
			})
			if err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		return nil
	}
}
